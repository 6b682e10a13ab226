/* SPDX-License-Identifier: MIT */
/*
 * Domains and doorbells, over IOMMUs that are tables in the test.
 *
 * - Mapping checks alignment, bounds and permissions, and keeps out of the doorbells' window.
 * - The rules of attaching and detaching; the DMA API refuses meanwhile; what cannot be undone ends
 *   blocked, and can be taken again from there.
 * - Doorbells are mapped once for each page and domain, at one place, follow the group from domain
 *   to domain, all or none; what would make an address wrong that a device was told is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommubench.h"

/* ---- Domains ------------------------------------------------------------------------------ */

static void domain_mappings(void **state)
{
	const size_t window = WEIR_MSI_WINDOW;
	struct weir_device a;
	struct weir_domain *domain;
	weir_dma_t first, last;
	weir_phys_t phys;

	(void)state;
	fakeiommu_knobs.first = 0x2000;
	start(WEIR_MODE_STRICT, 1);
	add(&a, "a", 1, NULL);
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	weir_domain_aperture(domain, &first, &last);
	assert_int_equal(first, 0x2000);
	assert_int_equal(last, ((uint64_t)1 << 48) - 1);
	assert_int_equal(weir_domain_page_sizes(domain), PAGE | PAGE << 9);
#define TRY(iova, pa, size, prot) weir_domain_map(domain, iova, pa, size, prot)
	assert_int_equal(TRY(0x3000, 0x5000, 0, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3001, 0x5000, PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5001, PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5000, PAGE + 1, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x1000, 0x5000, PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(last + 1, 0x5000, PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(last - PAGE + 1, 0x5000, 2 * PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, ~0ull << 12, 2 * PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5000, PAGE, 0), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5000, PAGE, WEIR_IOMMU_CACHE), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5000, PAGE, 0x40 | WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(window, 0x5000, PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(window - PAGE, 0x5000, 2 * PAGE, WEIR_IOMMU_READ), -WEIR_EINVAL);
	assert_int_equal(TRY(0x3000, 0x5000, 2 * PAGE, WEIR_IOMMU_READ), 0);
	assert_int_equal(TRY(0x4000, 0x5000, PAGE, WEIR_IOMMU_READ), -WEIR_EEXIST);
	assert_int_equal(TRY(last - PAGE + 1, 0x9000, PAGE, WEIR_IOMMU_WRITE), 0);
#undef TRY
	assert_int_equal(weir_domain_iova_to_phys(domain, 0x4123, &phys), 0);
	assert_int_equal(phys, 0x6123);
	assert_int_equal(weir_domain_iova_to_phys(domain, 0x5000, &phys), -WEIR_ENOENT);
	assert_int_equal(weir_domain_iova_to_phys(domain, ~0ull, &phys), -WEIR_ENOENT);
	assert_int_equal(weir_domain_unmap(domain, 0x3000, 0), 0);
	assert_int_equal(weir_domain_unmap(domain, 0x3001, PAGE), 0);
	assert_int_equal(weir_domain_unmap(domain, 0x2000, 8 * PAGE), 2 * PAGE);
	assert_int_equal(weir_domain_map(&fakeiommu[0]->blocked, 0x3000, 0, PAGE, 1), -WEIR_EINVAL);
	assert_int_equal(weir_domain_iova_to_phys(&fakeiommu[0]->blocked, 1, &phys), -WEIR_ENOENT);
	assert_int_equal(weir_domain_iova_to_phys(&fakeiommu[0]->identity, 1, &phys), 0);
	weir_domain_free(domain);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

static void domain_attaching(void **state)
{
	struct weir_device a, b, c, d, direct;
	struct weir_device_desc desc = { .name = "direct" };
	struct weir_domain *domain, *other;
	weir_dma_t addr;

	(void)state;
	start(WEIR_MODE_STRICT, 2);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, NULL);
	assert_int_equal(add_to(&c, "c", 1, 1, NULL), 0);
	assert_int_equal(weir_device_add(weir, &direct, &desc), 0);
	assert_int_equal(weir_domain_alloc(&direct, &domain), -WEIR_ENODEV);
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	assert_int_equal(weir_domain_alloc(&c, &other), 0);
	assert_int_equal(weir_domain_attach(domain, &direct), -WEIR_EINVAL);
	assert_int_equal(weir_domain_attach(other, &a), -WEIR_EINVAL);
	assert_int_equal(weir_domain_attach(b.dma, &a), -WEIR_EINVAL);
	assert_int_equal(weir_domain_detach(domain, &a), -WEIR_EINVAL);

	addr = map(&a);
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_EBUSY);
	unmap(&a, addr);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_ptr_equal(fakeiommu[0]->stream[1], domain);
	assert_ptr_equal(weir_device_domain(&a), domain);
	assert_ptr_not_equal(weir_device_dma_domain(&a), domain);
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_EBUSY);
	assert_int_equal(map(&a), WEIR_DMA_ERROR);
	assert_int_equal(weir_domain_attach(domain, &b), 0);
	weir_domain_free(domain);
	assert_true(fakeplat_logged(fake, "a domain was freed that devices are in"));
	assert_int_equal(weir_domain_detach(domain, &b), 0);
	assert_int_equal(add_to(&d, "d", 0, 3, &a), -WEIR_EBUSY); /* its group is somebody's */
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	addr = map(&a);
	assert_true(addr != WEIR_DMA_ERROR);
	unmap(&a, addr);

	/* Going in fails: it is where it was. */
	fakeiommu_knobs.fail_attach = 1;
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_ETIMEDOUT);
	addr = map(&a);
	assert_true(addr != WEIR_DMA_ERROR);
	unmap(&a, addr);
	/* Coming back fails: blocked, and it can be taken again. */
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	fakeiommu_knobs.fail_attach = 1;
	assert_int_equal(weir_domain_detach(domain, &a), -WEIR_ETIMEDOUT);
	assert_ptr_equal(fakeiommu[0]->stream[1], &fakeiommu[0]->blocked);
	assert_int_equal(map(&a), WEIR_DMA_ERROR);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	/* Removed while it is attached. */
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_device_remove(&a), 0);
	assert_ptr_equal(fakeiommu[0]->stream[1], &fakeiommu[0]->blocked);
	weir_domain_free(domain);
	weir_domain_free(other);
	assert_int_equal(weir_device_remove(&c), 0);
	assert_int_equal(weir_device_remove(&direct), 0);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(fakeiommu_domains, 0);
	stop();
}

static void domain_of_a_shared_group(void **state)
{
	struct weir_device a, b;
	struct weir_domain *domain;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, &a);
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_EINVAL);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	weir_domain_free(domain);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

/* ---- Doorbells ---------------------------------------------------------------------------- */

static bool door_is_open(uint32_t id, weir_dma_t address)
{
	weir_phys_t phys;

	if (fakeiommu_translate(fakeiommu[0], id, address, true, &phys))
		return false;
	assert_int_equal(phys, FAKEPLAT_MSI_DOORBELL);
	return true;
}

static void doorbells(void **state)
{
	struct weir_device a, b;
	struct weir_domain *domain;
	struct weir_msi msi[3];
	weir_dma_t address[3];
	weir_phys_t phys;
	unsigned int prot;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, NULL);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(weir_device_msi_alloc(&a, 0, 8, i, 0, &msi[i], &address[i]), 0);
	assert_int_equal(weir_device_msi_alloc(&b, 0, 9, 0, 0, &msi[2], &address[2]), 0);
	assert_int_equal(address[0], WEIR_MSI_WINDOW + FAKEPLAT_MSI_DOORBELL % PAGE);
	assert_int_equal(address[1], address[0]);
	assert_int_equal(address[2], address[0]);
	assert_true(door_is_open(1, address[0]));
	assert_true(door_is_open(2, address[0]));
	assert_true(fakeiommu_lookup(a.dma, address[0], &phys, &prot));
	assert_int_equal(prot, WEIR_IOMMU_WRITE | WEIR_IOMMU_MMIO | WEIR_IOMMU_NOEXEC);
	assert_int_equal(fakeiommu_translate(fakeiommu[0], 1, address[0], false, &phys),
			 -WEIR_EPERM);
	assert_int_equal(fakeiommu_pages(a.dma), 1);

	/* It follows the group, and stays when the owner of the domain clears all of it. */
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	fakeiommu_knobs.fail_map = 1;
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_ENOMEM);
	assert_true(door_is_open(1, address[0]));
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_domain_attach(domain, &b), 0);
	assert_true(door_is_open(1, address[0]));
	assert_int_equal(weir_domain_map(domain, WEIR_MSI_WINDOW - PAGE, 0, PAGE, 1), 0);
	assert_int_equal(weir_domain_map(domain, 0x8100000, 0, PAGE, 1), 0);
	assert_int_equal(weir_domain_unmap(domain, 0, 1ull << 32), 2 * PAGE);
	assert_int_equal(fakeiommu_pages(domain), 1);
	assert_int_equal(weir_domain_detach(domain, &b), 0);
	assert_true(door_is_open(1, address[0]));
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	assert_int_equal(fakeiommu_pages(domain), 0);
	assert_true(door_is_open(1, address[0]));
	weir_domain_free(domain);

	weir_device_msi_free(&a, &msi[0]);
	assert_true(door_is_open(1, address[0]));
	weir_device_msi_free(&a, &msi[1]);
	assert_false(door_is_open(1, address[0]));
	assert_true(door_is_open(2, address[0]));
	/* Freed after the device is gone. */
	assert_int_equal(weir_device_remove(&b), 0);
	weir_device_msi_free(&b, &msi[2]);
	/* Failures give the message back. */
	fake->fail_msi = 1;
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi[0], &address[0]), -WEIR_ENOMEM);
	fakeiommu_knobs.fail_map = 1;
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi[0], &address[0]), -WEIR_ENOMEM);
	assert_int_equal(fake->msis_in_use, 0);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

static void several_doorbells(void **state)
{
	struct weir_device a;
	struct weir_domain *domain;
	struct weir_msi msi[5];
	weir_dma_t address[5];

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	add(&a, "a", 1, NULL);
	for (unsigned int i = 0; i < 4; i++) {
		fake->msi_doorbell = 0x9000000 + i * PAGE;
		assert_int_equal(weir_device_msi_alloc(&a, 0, 8, i, 0, &msi[i], &address[i]), 0);
		assert_int_equal(address[i], WEIR_MSI_WINDOW + i * PAGE);
	}
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	/* Not all of them can be mapped there: none is. */
	for (unsigned int n = 1; n <= 4; n++) {
		fakeiommu_knobs.fail_map = n;
		assert_int_equal(weir_domain_attach(domain, &a), -WEIR_ENOMEM);
		assert_int_equal(fakeiommu_pages(domain), 0);
	}
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(fakeiommu_pages(domain), 4);
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	weir_domain_free(domain);
	for (unsigned int i = 0; i < 4; i++)
		weir_device_msi_free(&a, &msi[i]);
	/* There is room for 256 pages in all. */
	for (unsigned int i = 4; i < WEIR_MSI_WINDOW_PAGES; i++) {
		fake->msi_doorbell = 0x9000000 + i * PAGE;
		assert_int_equal(weir_device_msi_alloc(&a, 0, 8, i, 0, &msi[4], &address[4]), 0);
		assert_int_equal(address[4], WEIR_MSI_WINDOW + i * PAGE);
		weir_device_msi_free(&a, &msi[4]);
	}
	fake->msi_doorbell = 0xa000000;
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi[4], &address[4]), -WEIR_ENOSPC);
	assert_int_equal(fakeiommu_pages(a.dma), 0);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

static void doorbells_in_passthrough(void **state)
{
	struct weir_device a, b;
	struct weir_domain *domain;
	struct weir_msi msi, msi_b;
	weir_dma_t address;

	(void)state;
	start(WEIR_MODE_PASSTHROUGH, 1);
	add(&a, "a", 1, NULL);
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi, &address), 0);
	assert_int_equal(address, FAKEPLAT_MSI_DOORBELL);
	/* What the device was told must stay right. */
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), -WEIR_EBUSY);
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	assert_int_equal(weir_domain_attach(domain, &a), -WEIR_EBUSY);
	is_identity(&a, 1);
	weir_device_msi_free(&a, &msi);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi, &address), 0);
	assert_true(door_is_open(1, address));
	assert_int_equal(weir_domain_detach(domain, &a), -WEIR_EBUSY); /* and blocked */
	assert_ptr_equal(fakeiommu[0]->stream[1], &fakeiommu[0]->blocked);
	weir_device_msi_free(&a, &msi);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	is_identity(&a, 1);
	weir_domain_free(domain);
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), 0);
	assert_int_equal(weir_device_msi_alloc(&a, 0, 8, 0, 0, &msi, &address), 0);
	assert_true(door_is_open(1, address));
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), -WEIR_EBUSY);
	/* Not even while it is in another domain that translates. */
	assert_int_equal(weir_domain_alloc(&a, &domain), 0);
	assert_int_equal(weir_domain_attach(domain, &a), 0);
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), -WEIR_EBUSY);
	assert_int_equal(weir_domain_detach(domain, &a), 0);
	weir_domain_free(domain);
	assert_true(door_is_open(1, address));
	/* Never freed: gone with the device. */
	assert_int_equal(weir_device_remove(&a), 0);
	plat_msi_free(fake, &msi);
	stop();

	start(WEIR_MODE_OFF, 1);
	add(&b, "b", 1, NULL);
	assert_int_equal(weir_device_msi_alloc(&b, 0, 8, 0, 0, &msi_b, &address), 0);
	assert_int_equal(address, FAKEPLAT_MSI_DOORBELL);
	weir_device_msi_free(&b, &msi_b);
	assert_int_equal(weir_device_remove(&b), 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(domain_mappings, setup),
		cmocka_unit_test_setup(domain_attaching, setup),
		cmocka_unit_test_setup(domain_of_a_shared_group, setup),
		cmocka_unit_test_setup(doorbells, setup),
		cmocka_unit_test_setup(several_doorbells, setup),
		cmocka_unit_test_setup(doorbells_in_passthrough, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
