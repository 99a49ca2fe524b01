/* Boot storm over TFTP: many phones, each with its own socket and source address,
 * driven by one epoll thread. RFC 1350, 2347, 2348, 2349 and 7440; duplicate DATA is
 * acknowledged again (RFC 1123); what is lost is sent again after 1, 2, 4, 8, 8 s.
 *
 * The plan file is all that is known of phones. One transfer a line, tab separated:
 *   phone-id  name  expected-size (-1: any)  [crc32 in hex]
 * blksize 512 without a window asks for no option at all; any other blksize is asked for
 * together with tsize, as phones do.
 *
 * Prints one JSON line. A transfer's time runs from its first RRQ to its last block. */
#include "storm.h"

#define PACKET_ROOM 65536
#define TRIES 6          /* The first datagram and five repetitions. */
#define DALLY_US 2000000 /* How long a lossy client answers repeated last blocks. */

enum fault { TIMEOUT, REFUSED, SIZE, CHECKSUM, PROTOCOL, FAULTS };
static const char *const fault_names[FAULTS] = {"timeout", "refused", "size", "crc", "protocol"};
static const int64_t repeat_after_us[TRIES] = {1000000, 2000000, 4000000, 8000000, 8000000, 8000000};

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };

struct file {
    const char *name;
    int64_t size;
    bool has_crc;
    uint32_t crc;
};

enum state { FREE, RUNNING, DALLYING };

struct transfer {
    enum state state;
    int fd;
    uint32_t phone;
    uint16_t server_tid; /* Network order; 0 until the first answer. */
    int blksize, window, unacked, tries;
    bool gap_reported;
    uint64_t blocks;     /* Blocks received in order. */
    int64_t size, deadline, started;
    uint32_t crc;
};

static struct {
    const char *plan, *host;
    int port, blksize, window;
    long concurrency, rounds;
    double loss, dup_rrq, max_wall_s;
    uint64_t seed;
    bool no_crc;
} opt = {.host = "127.0.0.1", .port = 69, .blksize = 512, .window = 1, .rounds = 1, .max_wall_s = 120, .seed = 1};

static struct {
    uint64_t transfers, faults[FAULTS], repeats, bytes, lost;
    struct samples transfer_us, first_us;
} seen;

static struct file *files;
static struct transfer *transfers;
static uint32_t *free_transfers;
static size_t file_count, total_runs, next_run, ended_runs, running, transfer_count, free_count, limit;
static struct sockaddr_in server;
static int poller;
static uint64_t chance;
static uint8_t packet[PACKET_ROOM];

/* ---- plan ------------------------------------------------------------ */

static void read_plan(void)
{
    char *text = read_whole(opt.plan), *field[4];
    files = must_alloc(count_lines(text), sizeof *files);
    for (int fields; (fields = next_row(&text, field, 4)) >= 0;) {
        if (fields < 3)
            continue;
        files[file_count++] = (struct file){.name = field[1], .size = atoll(field[2]), .has_crc = fields == 4 && !opt.no_crc,
            .crc = fields == 4 ? (uint32_t)strtoul(field[3], NULL, 16) : 0};
    }
    if (!file_count) {
        fprintf(stderr, "the plan %s names no file\n", opt.plan);
        exit(2);
    }
}

/* ---- datagrams ------------------------------------------------------- */

static bool is_lost(void)
{
    if (opt.loss <= 0 || random_unit(&chance) >= opt.loss)
        return false;
    seen.lost++;
    return true;
}

static void send_to(struct transfer *t, const void *data, size_t size, uint16_t port)
{
    if (is_lost())
        return;
    struct sockaddr_in to = server;
    to.sin_port = port;
    sendto(t->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
}

static size_t put_text(uint8_t *out, size_t at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(out + at, text, size);
    return at + size;
}

static size_t put_option(uint8_t *out, size_t at, const char *name, int value)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%d", value);
    return put_text(out, put_text(out, at, name), digits);
}

static void send_rrq(struct transfer *t)
{
    uint8_t out[1024] = {0, RRQ};
    const char *name = files[t->phone].name;
    if (strlen(name) > 512)
        return;
    size_t size = put_text(out, put_text(out, 2, name), "octet");
    if (opt.blksize != 512 || opt.window > 1) {
        size = put_option(out, size, "blksize", opt.blksize);
        size = put_option(out, size, "tsize", 0);
    }
    if (opt.window > 1)
        size = put_option(out, size, "windowsize", opt.window);
    send_to(t, out, size, server.sin_port);
}

static void send_ack(struct transfer *t)
{
    uint8_t out[4] = {0, ACK, (uint8_t)(t->blocks >> 8), (uint8_t)t->blocks};
    t->unacked = 0;
    send_to(t, out, sizeof out, t->server_tid);
}

/* RFC 1350 section 4: a datagram of a transfer that is not ours is told so. */
static void send_unknown_tid(struct transfer *t, uint16_t port)
{
    static const uint8_t out[] = "\0\5\0\5Unknown transfer ID";
    send_to(t, out, sizeof out, port);
}

/* ---- a transfer's life ----------------------------------------------- */

static void release(struct transfer *t)
{
    close(t->fd);
    t->fd = -1;
    t->state = FREE;
    free_transfers[free_count++] = (uint32_t)(t - transfers);
}

static void leave(struct transfer *t, bool dally)
{
    ended_runs++;
    running--;
    if (!dally) {
        release(t);
        return;
    }
    t->state = DALLYING;
    t->deadline = now_us() + DALLY_US;
}

static void fail(struct transfer *t, enum fault kind)
{
    seen.faults[kind]++;
    leave(t, false);
}

static void complete(struct transfer *t)
{
    const struct file *f = &files[t->phone];
    if (f->size >= 0 && t->size != f->size) {
        fail(t, SIZE);
    } else if (f->has_crc && t->crc != f->crc) {
        fail(t, CHECKSUM);
    } else {
        seen.transfers++;
        seen.bytes += (uint64_t)t->size;
        sample_add(&seen.transfer_us, now_us() - t->started);
        leave(t, opt.loss > 0);
    }
}

static bool open_socket(struct transfer *t)
{
    struct sockaddr_in from = phone_address(t->phone);
    struct epoll_event want = {.events = EPOLLIN, .data.u32 = (uint32_t)(t - transfers)};
    t->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return t->fd >= 0 && bind(t->fd, (struct sockaddr *)&from, sizeof from) == 0 && epoll_ctl(poller, EPOLL_CTL_ADD, t->fd, &want) == 0;
}

static void progress(struct transfer *t)
{
    t->tries = 0;
    t->deadline = now_us() + repeat_after_us[0];
}

static void start_transfer(void)
{
    struct transfer *t = &transfers[free_transfers[--free_count]];
    *t = (struct transfer){.state = RUNNING, .fd = -1, .phone = (uint32_t)(next_run++ % file_count), .blksize = 512, .window = 1};
    running++;
    if (!open_socket(t))
        die("a phone's socket");
    t->started = now_us();
    progress(t);
    send_rrq(t);
    if (opt.dup_rrq > 0 && random_unit(&chance) < opt.dup_rrq)
        send_rrq(t);
}

static void repeat(struct transfer *t, int64_t now)
{
    if (++t->tries == TRIES) {
        fail(t, TIMEOUT);
        return;
    }
    seen.repeats++;
    t->deadline = now + repeat_after_us[t->tries];
    if (t->server_tid)
        send_ack(t);
    else
        send_rrq(t);
}

/* ---- what the server says -------------------------------------------- */

static void agree(struct transfer *t, const char *name, const char *value)
{
    if (strcasecmp(name, "blksize") == 0)
        t->blksize = atoi(value);
    else if (strcasecmp(name, "windowsize") == 0)
        t->window = atoi(value);
}

/* An OACK: NUL-ended name and value pairs (the packet has a NUL behind it). */
static void on_oack(struct transfer *t, size_t size)
{
    const char *p = (const char *)packet + 2, *end = (const char *)packet + size;
    while (!t->blocks && p < end) {
        const char *value = p + strlen(p) + 1;
        if (value >= end)
            break;
        agree(t, p, value);
        p = value + strlen(value) + 1;
    }
    if (t->blksize < 8 || t->blksize > 65464 || t->window < 1) {
        fail(t, PROTOCOL);
        return;
    }
    if (!t->blocks) {
        progress(t);
        send_ack(t);
    }
}

static void on_next_block(struct transfer *t, size_t size)
{
    t->blocks++;
    t->size += (int64_t)size;
    t->gap_reported = false;
    if (files[t->phone].has_crc)
        t->crc = crc_update(t->crc, packet + 4, size);
    progress(t);
    bool last = size < (size_t)t->blksize;
    if (++t->unacked >= t->window || last)
        send_ack(t);
    if (last)
        complete(t);
}

static void on_data(struct transfer *t, size_t size)
{
    uint16_t block = (uint16_t)(packet[2] << 8 | packet[3]);
    if (t->state == DALLYING) {
        send_ack(t);
    } else if (block == (uint16_t)(t->blocks + 1)) {
        if (size - 4 > (size_t)t->blksize)
            fail(t, PROTOCOL);
        else
            on_next_block(t, size - 4);
    } else if (t->window == 1 || !t->gap_reported) {
        t->gap_reported = true; /* RFC 7440: one ACK of the last good block a gap. */
        send_ack(t);
    }
}

static bool is_ours(struct transfer *t, const struct sockaddr_in *from)
{
    if (from->sin_addr.s_addr != server.sin_addr.s_addr)
        return false;
    if (!t->server_tid) {
        t->server_tid = from->sin_port;
        sample_add(&seen.first_us, now_us() - t->started);
    }
    if (from->sin_port == t->server_tid)
        return true;
    send_unknown_tid(t, from->sin_port);
    return false;
}

static void on_packet(struct transfer *t, size_t size, const struct sockaddr_in *from)
{
    if (size < 4 || is_lost() || (size == 4 && packet[1] != DATA && packet[1] != ERROR) || !is_ours(t, from))
        return;
    packet[size] = 0;
    if (packet[1] == DATA)
        on_data(t, size);
    else if (t->state == DALLYING)
        return;
    else if (packet[1] == OACK)
        on_oack(t, size);
    else if (packet[1] == ERROR)
        fail(t, REFUSED);
}

static void on_readable(struct transfer *t)
{
    int most = t->window > 1 ? t->window : 1; /* Without a window only one datagram is ever due. */
    for (int i = 0; i < most && t->state != FREE; i++) {
        struct sockaddr_in from;
        socklen_t room = sizeof from;
        ssize_t size = recvfrom(t->fd, packet, PACKET_ROOM - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &room);
        if (size < 0)
            return;
        on_packet(t, (size_t)size, &from);
    }
}

/* ---- the storm ------------------------------------------------------- */

static void sweep(int64_t now)
{
    for (size_t i = 0; i < transfer_count; i++) {
        struct transfer *t = &transfers[i];
        if (t->state == FREE || now < t->deadline)
            continue;
        if (t->state == DALLYING)
            release(t);
        else
            repeat(t, now);
    }
}

static void storm(int64_t began)
{
    struct epoll_event events[EVENTS];
    int64_t last_sweep = began, end = began + (int64_t)(opt.max_wall_s * 1e6);
    while (ended_runs < total_runs) {
        while (next_run < total_runs && running < limit && free_count)
            start_transfer();
        int count = epoll_wait(poller, events, EVENTS, 10);
        for (int i = 0; i < count; i++)
            if (transfers[events[i].data.u32].state != FREE)
                on_readable(&transfers[events[i].data.u32]);
        int64_t now = now_us();
        if (now > end)
            return;
        if (now - last_sweep >= SWEEP_US) {
            last_sweep = now;
            sweep(now);
        }
    }
}

static void report(double wall, double cpu)
{
    samples_sort(&seen.transfer_us);
    samples_sort(&seen.first_us);
    uint64_t failed = 0;
    for (int i = 0; i < FAULTS; i++)
        failed += seen.faults[i];
    printf("{\"transfers\": %llu, \"failed\": %llu, \"unfinished\": %llu, \"failed_by_kind\": {", (unsigned long long)seen.transfers,
           (unsigned long long)failed, (unsigned long long)(total_runs - ended_runs));
    for (int i = 0; i < FAULTS; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", fault_names[i], (unsigned long long)seen.faults[i]);
    printf("}, \"retransmits\": %llu, \"lost\": %llu, \"bytes\": %llu, \"transfers_per_s\": %.2f", (unsigned long long)seen.repeats,
           (unsigned long long)seen.lost, (unsigned long long)seen.bytes, (double)seen.transfers / wall);
    printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"first_byte_p99_ms\": %.3f", percentile_ms(&seen.transfer_us, 50),
           percentile_ms(&seen.transfer_us, 99), percentile_ms(&seen.transfer_us, 100), percentile_ms(&seen.first_us, 99));
    printf(", \"cpu_s\": %.4f, \"wall_s\": %.4f}\n", cpu, wall);
}

static void usage(void)
{
    fprintf(stderr, "tftpstorm --plan FILE --port N [--host 127.0.0.1] [--concurrency N (0: all)] [--blksize N] [--windowsize N] [--rounds N]\n"
                    "          [--loss P] [--dup-rrq P] [--seed N] [--max-wall S] [--no-crc]\n");
    exit(2);
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {{"plan", 1, 0, 'p'}, {"host", 1, 0, 'h'}, {"port", 1, 0, 'P'}, {"concurrency", 1, 0, 'c'},
        {"blksize", 1, 0, 'b'}, {"windowsize", 1, 0, 'w'}, {"rounds", 1, 0, 'n'}, {"loss", 1, 0, 'l'}, {"dup-rrq", 1, 0, 'd'},
        {"seed", 1, 0, 's'}, {"max-wall", 1, 0, 'm'}, {"no-crc", 0, 0, 'x'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'p': opt.plan = optarg; break;
        case 'h': opt.host = optarg; break;
        case 'P': opt.port = atoi(optarg); break;
        case 'c': opt.concurrency = atol(optarg); break;
        case 'b': opt.blksize = atoi(optarg); break;
        case 'w': opt.window = atoi(optarg); break;
        case 'n': opt.rounds = atol(optarg); break;
        case 'l': opt.loss = atof(optarg); break;
        case 'd': opt.dup_rrq = atof(optarg); break;
        case 's': opt.seed = strtoull(optarg, NULL, 10); break;
        case 'm': opt.max_wall_s = atof(optarg); break;
        case 'x': opt.no_crc = true; break;
        default: usage();
        }
    }
    if (!opt.plan || opt.rounds < 1 || opt.blksize < 8 || opt.blksize > 65464 || opt.window < 1)
        usage();
}

static void prepare(void)
{
    read_plan();
    chance = opt.seed * 0x9E3779B97F4A7C15ull | 1;
    total_runs = file_count * (size_t)opt.rounds;
    limit = opt.concurrency > 0 && (size_t)opt.concurrency < total_runs ? (size_t)opt.concurrency : total_runs;
    transfer_count = opt.loss > 0 ? total_runs : limit; /* Lossy transfers stay a while after their end. */
    transfers = must_alloc(transfer_count, sizeof *transfers);
    free_transfers = must_alloc(transfer_count, sizeof *free_transfers);
    for (size_t i = transfer_count; i-- > 0;)
        free_transfers[free_count++] = (uint32_t)i;
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        die("epoll");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    raise_file_limit();
    crc_prepare();
    server = server_address(opt.host, opt.port);
    prepare();
    double cpu = cpu_seconds();
    int64_t began = now_us();
    storm(began);
    double wall = (double)(now_us() - began) / 1e6;
    report(wall, cpu_seconds() - cpu);
    return 0;
}
