/* The event both sides of the codec bench encode: an exec with 22 fields, about 255 bytes. */
#pragma once

#define BENCH_IMAGE "/usr/lib/postgresql/15/bin/postgres"
#define BENCH_CMDLINE                                                                              \
    "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main --checkpoint"
#define BENCH_PARENT "/usr/lib/systemd/systemd"
#define BENCH_USER   "postgres"
#define BENCH_CWD    "/var/lib/postgresql"

/* N(field, C name in the .proto, number) and S(field, C name, text), in the order of the table */
#define BENCH_FIELDS(N, S)                                                                         \
    N(CLASS, class_, 1)                                                                            \
    N(ACTION, action, 101)                                                                         \
    N(BOOT_NS, boot_ns, 86400123456789u)                                                           \
    N(WALL_NS, time, 1763762400123456789u)                                                         \
    N(SEQ, seq, 123456)                                                                            \
    N(PROCESS_KEY, process_key, 0x8f3a99c1d2e4f501u)                                               \
    N(PROCESS_PID, process_pid, 48211)                                                             \
    S(PROCESS_IMAGE, process_image, BENCH_IMAGE)                                                   \
    S(PROCESS_COMMAND_LINE, process_command_line, BENCH_CMDLINE)                                   \
    N(PARENT_KEY, parent_key, 0x11d7c9e0a1b2c3d4u)                                                 \
    N(PARENT_PID, parent_pid, 1)                                                                   \
    S(PARENT_IMAGE, parent_image, BENCH_PARENT)                                                    \
    N(USER_ID, user_id, 112)                                                                       \
    S(USER_NAME, user_name, BENCH_USER)                                                            \
    S(PROCESS_NAME, process_name, BENCH_USER)                                                      \
    S(PROCESS_CWD, process_cwd, BENCH_CWD)                                                         \
    N(PROCESS_ARGC, process_argc, 4)                                                               \
    N(PROCESS_FLAGS, process_flags, 0)                                                             \
    N(PROCESS_INODE, process_inode, 1311768)                                                       \
    N(PROCESS_DEV, process_dev, 2049)                                                              \
    N(PROCESS_START_NS, process_start, 86400123000000u)                                            \
    N(PROCESS_SESSION, process_session, 48211)
