/* SPDX-License-Identifier: MIT */
/*
 * A server's IO Remapping Table (revision D) in iasl's words, numbers in hexadecimal, references as
 * offsets. test-iort.c builds the same, and compares the bytes.
 */

                       Signature : "IORT"    [IO Remapping Table]
                    Table Length : 00000344
                        Revision : 00
                        Checksum : D3
                          Oem ID : "WEIR  "
                    Oem Table ID : "BUILDER "
                    Oem Revision : 00000001
                 Asl Compiler ID : "WEIR"
           Asl Compiler Revision : 00000001

                      Node Count : 0000000C
                     Node Offset : 00000030
                        Reserved : 00000000

/* Group of two ITSs. */

                            Type : 00
                          Length : 001C
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000000
                  Mapping Offset : 00000000

                        ItsCount : 00000002
                     Identifiers : 00000000
                     Identifiers : 00000001

/* Group of one ITS. */

                            Type : 00
                          Length : 0018
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000000
                  Mapping Offset : 00000000

                        ItsCount : 00000001
                     Identifiers : 00000005

/* SMMUv3 with wires: every StreamID to the first group. */

                            Type : 04
                          Length : 0058
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 00000044

                    Base Address : 0000000040000000
           Flags (decoded below) : 0000000B
                 COHACC Override : 1
                   HTTU Override : 1
          Proximity Domain Valid : 1
                        Reserved : 00000000
                   VATOS Address : 0000000000000000
                           Model : 00000000
                      Event GSIV : 00000065
                        PRI GSIV : 00000066
                       GERR GSIV : 00000067
                       Sync GSIV : 00000068
                Proximity Domain : 00000001
         Device ID Mapping Index : 00000000

                      Input base : 00000000
                        ID Count : 0003FFFF
                     Output Base : 00100000
                Output Reference : 00000030
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* SMMUv3 with messages: the second of its mappings is for them. */

                            Type : 04
                          Length : 006C
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000002
                  Mapping Offset : 00000044

                    Base Address : 0000140000000000
           Flags (decoded below) : 00000000
                 COHACC Override : 0
                   HTTU Override : 0
          Proximity Domain Valid : 0
                        Reserved : 00000000
                   VATOS Address : 0000140000020000
                           Model : 00000001
                      Event GSIV : 00000000
                        PRI GSIV : 00000000
                       GERR GSIV : 00000000
                       Sync GSIV : 00000000
                Proximity Domain : 00000000
         Device ID Mapping Index : 00000001

                      Input base : 00000000
                        ID Count : 0000FFFF
                     Output Base : 00000000
                Output Reference : 0000004C
           Flags (decoded below) : 00000000
                  Single Mapping : 0

                      Input base : 00000000
                        ID Count : 00000000
                     Output Base : 00017000
                Output Reference : 0000004C
           Flags (decoded below) : 00000001
                  Single Mapping : 1

/* SMMUv2. */

                            Type : 03
                          Length : 0060
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 0000004C

                    Base Address : 000000002B500000
                            Span : 0000000000020000
                           Model : 00000003
           Flags (decoded below) : 00000002
                   DVM Supported : 0
                   Coherent Walk : 1
         Global Interrupt Offset : 0000003C
         Context Interrupt Count : 00000000
        Context Interrupt Offset : 0000004C
             PMU Interrupt Count : 00000000
            PMU Interrupt Offset : 0000004C

                         NSgIrpt : 00000046
   NSgIrpt Flags (decoded below) : 00000000
                  Edge Triggered : 0
                      NSgCfgIrpt : 00000047
NSgCfgIrpt Flags (decoded below) : 00000001
                  Edge Triggered : 1

                      Input base : 00000000
                        ID Count : 0000FFFF
                     Output Base : 00040000
                Output Reference : 00000030
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Segment 0, behind the first SMMUv3. */

                            Type : 02
                          Length : 0038
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 00000024

               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000001
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 03
                       Coherency : 1
                Device Attribute : 1
                   ATS Attribute : 00000001
              PCI Segment Number : 00000000
               Memory Size Limit : 34
                        Reserved : 000000

                      Input base : 00000000
                        ID Count : 0000FFFF
                     Output Base : 00010000
                Output Reference : 00000064
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Segment 1: one half behind the second SMMUv3, some around it. */

                            Type : 02
                          Length : 004C
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000002
                  Mapping Offset : 00000024

               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000000
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 00
                       Coherency : 0
                Device Attribute : 0
                   ATS Attribute : 00000000
              PCI Segment Number : 00000001
               Memory Size Limit : 28
                        Reserved : 000000

                      Input base : 00000000
                        ID Count : 00007FFF
                     Output Base : 00000000
                Output Reference : 000000BC
           Flags (decoded below) : 00000000
                  Single Mapping : 0

                      Input base : 00008000
                        ID Count : 00000FFF
                     Output Base : 00020000
                Output Reference : 0000004C
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Segment 1 again: one bus, behind the first SMMUv3. */

                            Type : 02
                          Length : 0038
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 00000024

               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000000
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 00
                       Coherency : 0
                Device Attribute : 0
                   ATS Attribute : 00000000
              PCI Segment Number : 00000001
               Memory Size Limit : 28
                        Reserved : 000000

                      Input base : 0000A000
                        ID Count : 000000FF
                     Output Base : 00020000
                Output Reference : 00000064
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Segment 3, behind the SMMUv2. */

                            Type : 02
                          Length : 0038
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 00000024

               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000000
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 00
                       Coherency : 0
                Device Attribute : 0
                   ATS Attribute : 00000000
              PCI Segment Number : 00000003
               Memory Size Limit : 28
                        Reserved : 000000

                      Input base : 00000000
                        ID Count : 0000FFFF
                     Output Base : 00000000
                Output Reference : 00000128
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Two streams, and a DeviceID of its own. */

                            Type : 01
                          Length : 0064
                        Revision : 02
                        Reserved : 00000000
                   Mapping Count : 00000003
                  Mapping Offset : 00000028

                      Node Flags : 00000029
               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000001
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 01
                       Coherency : 1
                Device Attribute : 0
               Memory Size Limit : 20
                     Device Name : "\_SB.USB0"
                         Padding : 00

                      Input base : 00000000
                        ID Count : 00000000
                     Output Base : 00009000
                Output Reference : 000000BC
           Flags (decoded below) : 00000001
                  Single Mapping : 1

                      Input base : 00000000
                        ID Count : 00000000
                     Output Base : 00021234
                Output Reference : 00000030
           Flags (decoded below) : 00000001
                  Single Mapping : 1

                      Input base : 00000000
                        ID Count : 00000000
                     Output Base : 00009001
                Output Reference : 000000BC
           Flags (decoded below) : 00000001
                  Single Mapping : 1

/* A bus with IDs of its own. */

                            Type : 01
                          Length : 003C
                        Revision : 02
                        Reserved : 00000000
                   Mapping Count : 00000001
                  Mapping Offset : 00000028

                      Node Flags : 00000000
               Memory Properties : [IORT Memory Access Properties]
                 Cache Coherency : 00000000
           Hints (decoded below) : 00
                       Transient : 0
                  Write Allocate : 0
                   Read Allocate : 0
                        Override : 0
                        Reserved : 0000
    Memory Flags (decoded below) : 00
                       Coherency : 0
                Device Attribute : 0
               Memory Size Limit : 30
                     Device Name : "\_SB.NET"
                         Padding : 00 00

                      Input base : 00000000
                        ID Count : 000000FF
                     Output Base : 00030000
                Output Reference : 00000064
           Flags (decoded below) : 00000000
                  Single Mapping : 0

/* Performance counters of the first SMMUv3. */

                            Type : 05
                          Length : 0028
                        Revision : 01
                        Reserved : 00000000
                   Mapping Count : 00000000
                  Mapping Offset : 00000000

             Page 0 Base Address : 0000000040002000
         Overflow Interrupt GSIV : 00000069
                  Node Reference : 00000064
             Page 1 Base Address : 0000000040022000
