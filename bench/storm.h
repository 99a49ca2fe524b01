/* What both load generators share: clock, samples and percentiles, CRC-32,
 * loopback source addresses, and reading a tab-separated plan. Header only:
 * each generator is one translation unit. Times are microseconds (int64_t). */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_US 10000  /* How often time-outs are looked for. */
#define EVENTS 512      /* Events taken from epoll at a time. */

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "not understood");
    exit(2);
}

static inline void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        die("out of memory");
    return memory;
}

static inline int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* One descriptor per phone: take as many as the hard limit allows. */
static inline void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- samples -------------------------------------------------------- */

struct samples {
    uint32_t *us;
    size_t count, room;
};

static inline void sample_add(struct samples *s, int64_t us)
{
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 4096;
        s->us = realloc(s->us, s->room * sizeof *s->us);
        if (!s->us)
            die("out of memory");
    }
    s->us[s->count++] = us > UINT32_MAX ? UINT32_MAX : us < 0 ? 0 : (uint32_t)us;
}

static inline int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static inline void samples_sort(struct samples *s)
{
    if (s->count)
        qsort(s->us, s->count, sizeof *s->us, compare_u32);
}

/* Percentile 0..100 of sorted samples, in milliseconds (nearest rank, rounded up). */
static inline double percentile_ms(const struct samples *s, double percent)
{
    if (!s->count)
        return 0.0;
    double exact = percent / 100.0 * (double)s->count;
    size_t rank = (size_t)exact;
    if ((double)rank < exact)
        rank++;
    if (rank < 1)
        rank = 1;
    return s->us[rank - 1 < s->count ? rank - 1 : s->count - 1] / 1000.0;
}

/* ---- random numbers: seeded, so that a lossy run can be repeated ------ */

static inline double random_unit(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (double)(x >> 11) / 9007199254740992.0;
}

/* ---- CRC-32 (zlib's polynomial), eight bytes at a time ---------------- */

static uint32_t crc_table[8][256];

static inline void crc_prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (uint32_t i = 0; i < 256; i++)
            crc_table[t][i] = crc_table[0][crc_table[t - 1][i] & 255] ^ (crc_table[t - 1][i] >> 8);
}

static inline uint32_t crc_update(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc;
        crc = crc_table[7][low & 255] ^ crc_table[6][low >> 8 & 255] ^ crc_table[5][low >> 16 & 255] ^ crc_table[4][low >> 24] ^
              crc_table[3][high & 255] ^ crc_table[2][high >> 8 & 255] ^ crc_table[1][high >> 16 & 255] ^ crc_table[0][high >> 24];
    }
    for (; n; n--, p++)
        crc = crc_table[0][(crc ^ *p) & 255] ^ (crc >> 8);
    return ~crc;
}

/* ---- addresses ------------------------------------------------------- */

/* Phone number -> 127.16.1.1, 127.16.1.2, ...; room for 14 million phones. */
static inline struct sockaddr_in phone_address(uint32_t phone)
{
    uint32_t host = 127u << 24 | (16 + phone / 62500 % 224) << 16 | (1 + phone / 250 % 250) << 8 | (1 + phone % 250);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = 0, .sin_addr.s_addr = htonl(host)};
    return a;
}

/* Only loopback: a generator aimed at a network by mistake would be an attack. */
static inline struct sockaddr_in server_address(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    errno = 0;
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || ntohl(a.sin_addr.s_addr) >> 24 != 127) {
        fprintf(stderr, "--host must be a loopback address (127.x.y.z), not %s\n", host);
        exit(2);
    }
    if (port < 1 || port > 65535) {
        fprintf(stderr, "--port must be 1..65535\n");
        exit(2);
    }
    return a;
}

/* ---- plan files ------------------------------------------------------ */

/* The whole file, NUL-terminated; lives as long as the program. */
static inline char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        die(path);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = must_alloc((size_t)size + 1, 1);
    if (fread(text, 1, (size_t)size, f) != (size_t)size)
        die(path);
    fclose(f);
    return text;
}

static inline size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines + 1;
}

/* Cuts the next line off *text at its tabs; returns the number of fields, -1 at the end. */
static inline int next_row(char **text, char **field, int room)
{
    if (!**text)
        return -1;
    char *line = *text, *end = strchr(line, '\n');
    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    int fields = 0;
    for (char *p = line; p && *p && fields < room; fields++) {
        field[fields] = p;
        p = strchr(p, '\t');
        if (p)
            *p++ = 0;
    }
    return fields;
}

#endif
