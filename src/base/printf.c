/* SPDX-License-Identifier: MIT */
/*
 * Formatted text without a C library. Conversions s c d i u x X p %, flags - 0 # + and space, width
 * and precision (also *), lengths hh h l ll z. An unknown conversion is copied as it stands, and
 * what follows it is formatted from the wrong argument: the compiler checks formats before that.
 * Any context; nothing is allocated.
 */

#include <weir/sys.h>

struct out {
	char *buf;
	size_t size; /* 0: nothing fits, not even the end */
	size_t len;
};

struct spec {
	bool left, zero, alt, plus, space;
	int width, precision; /* precision -1: none given */
	int length;	      /* bytes of an integer argument */
};

static void put_char(struct out *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len++] = c;
}

static void put_repeat(struct out *out, char c, int count)
{
	/* Stops where the buffer does: a width of a billion is no reason to be slow. */
	while (count-- > 0 && out->len + 1 < out->size)
		put_char(out, c);
}

static void put_string(struct out *out, const struct spec *spec, const char *s)
{
	int len = 0;

	if (!s)
		s = "(null)";
	while ((spec->precision < 0 || len < spec->precision) && s[len])
		len++;
	if (!spec->left)
		put_repeat(out, ' ', spec->width - len);
	for (int i = 0; i < len; i++)
		put_char(out, s[i]);
	if (spec->left)
		put_repeat(out, ' ', spec->width - len);
}

/* Digits of `value`, last one first. */
static int digits_of(uint64_t value, unsigned int base, bool upper, char *digits)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int count = 0;

	do {
		digits[count++] = set[value % base];
		value /= base;
	} while (value);
	return count;
}

static void put_number(struct out *out, const struct spec *spec, uint64_t value, unsigned int base,
		       bool upper, const char *prefix)
{
	char digits[24];
	int count = digits_of(value, base, upper, digits);
	int zeros, used = 0;

	if (!value && !spec->precision)
		count = 0; /* C11 7.21.6.1: precision 0 and value 0 give no characters */
	while (prefix[used])
		used++;
	zeros = spec->precision > count ? spec->precision - count : 0;
	if (spec->precision < 0 && spec->zero && !spec->left && spec->width > used + count)
		zeros = spec->width - used - count;
	if (!spec->left)
		put_repeat(out, ' ', spec->width - used - zeros - count);
	for (int i = 0; i < used; i++)
		put_char(out, prefix[i]);
	put_repeat(out, '0', zeros);
	for (int i = count; i > 0; i--)
		put_char(out, digits[i - 1]);
	if (spec->left)
		put_repeat(out, ' ', spec->width - used - zeros - count);
}

static const char *sign_of(const struct spec *spec, bool negative)
{
	if (negative)
		return "-";
	if (spec->plus)
		return "+";
	return spec->space ? " " : "";
}

/* Cut to what the length modifier says: the caller passed an int for a char or a short. */
static int64_t signed_of(const struct spec *spec, uint64_t raw)
{
	unsigned int spare = 64 - 8 * (unsigned int)spec->length;

	return (int64_t)(raw << spare) >> spare;
}

static uint64_t unsigned_of(const struct spec *spec, uint64_t raw)
{
	unsigned int spare = 64 - 8 * (unsigned int)spec->length;

	return raw << spare >> spare;
}

static void put_integer(struct out *out, const struct spec *spec, char conversion, uint64_t raw)
{
	uint64_t value = unsigned_of(spec, raw);
	int64_t number = signed_of(spec, raw);

	switch (conversion) {
	case 'd':
	case 'i':
		value = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
		put_number(out, spec, value, 10, false, sign_of(spec, number < 0));
		break;
	case 'u':
		put_number(out, spec, value, 10, false, "");
		break;
	case 'X':
		put_number(out, spec, value, 16, true, spec->alt && value ? "0X" : "");
		break;
	default:
		put_number(out, spec, value, 16, false, spec->alt && value ? "0x" : "");
		break;
	}
}

static bool set_flag(struct spec *spec, char c)
{
	switch (c) {
	case '-':
		return spec->left = true;
	case '0':
		return spec->zero = true;
	case '#':
		return spec->alt = true;
	case '+':
		return spec->plus = true;
	case ' ':
		return spec->space = true;
	default:
		return false;
	}
}

static const char *parse_number(const char *p, int *number)
{
	*number = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (*number < INT32_MAX / 10)
			*number = *number * 10 + (*p - '0');
	}
	return p;
}

static const char *parse_length(const char *p, struct spec *spec)
{
	spec->length = sizeof(int);
	if (*p == 'z') {
		spec->length = sizeof(size_t);
		return p + 1;
	}
	if (*p == 'l') {
		spec->length = sizeof(long long);
		return p[1] == 'l' ? p + 2 : p + 1;
	}
	if (*p == 'h') {
		spec->length = p[1] == 'h' ? sizeof(char) : sizeof(short);
		return p[1] == 'h' ? p + 2 : p + 1;
	}
	return p;
}

/* va_list behind a pointer to a struct, so that functions can take arguments from one list. */
struct arguments {
	va_list list;
};

static const char *parse_spec(const char *p, struct spec *spec, struct arguments *args)
{
	memset(spec, 0, sizeof(*spec));
	while (set_flag(spec, *p))
		p++;
	if (*p == '*') {
		spec->width = va_arg(args->list, int);
		p++;
	} else {
		p = parse_number(p, &spec->width);
	}
	if (spec->width < 0) {
		spec->left = true;
		spec->width = spec->width == INT32_MIN ? INT32_MAX : -spec->width;
	}
	spec->precision = -1;
	if (*p == '.') {
		p++;
		if (*p == '*') {
			spec->precision = va_arg(args->list, int);
			p++;
		} else {
			p = parse_number(p, &spec->precision);
		}
	}
	return parse_length(p, spec);
}

static void put_conversion(struct out *out, struct spec *spec, char c, struct arguments *args)
{
	char one[2] = { 0 };

	switch (c) {
	case 's':
		put_string(out, spec, va_arg(args->list, const char *));
		break;
	case 'c':
		one[0] = (char)va_arg(args->list, int);
		spec->precision = 1;
		put_string(out, spec, one);
		break;
	case 'p':
		put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, false, "0x");
		break;
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
		put_integer(out, spec, c,
			    spec->length == sizeof(uint64_t) ? va_arg(args->list, uint64_t) :
							       va_arg(args->list, unsigned int));
		break;
	default:
		put_char(out, '%');
		if (c && c != '%')
			put_char(out, c);
		break;
	}
}

int weir_vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
	struct out out = { .buf = buf, .size = size };
	struct arguments arguments;
	struct spec spec;

	va_copy(arguments.list, args);
	while (*format) {
		if (*format != '%') {
			put_char(&out, *format++);
			continue;
		}
		format = parse_spec(format + 1, &spec, &arguments);
		put_conversion(&out, &spec, *format, &arguments);
		if (*format)
			format++;
	}
	va_end(arguments.list);
	if (size)
		buf[out.len] = '\0';
	return (int)out.len;
}

int weir_snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = weir_vsnprintf(buf, size, format, args);
	va_end(args);
	return len;
}
