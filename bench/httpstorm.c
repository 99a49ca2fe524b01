/* Boot storm over HTTP/1.1: many phones, each with its own source address and
 * its own list of GETs, driven by one epoll thread.
 *
 * The plan file is all that is known of phones. One request a line, tab separated:
 *   phone-id  path  user-agent  expected-status  expected-size (-1: any)  [crc32 in hex]
 * Neighbouring lines with the same phone-id are one phone. "{n}" in a path becomes a
 * running number of 12 hex digits, so that a small plan can ask for a million names.
 *
 * Prints one JSON line. A request's time runs from its (last) attempt, connection
 * set-up included; a phone's time runs from its start and includes every wait. */
#include "storm.h"

#define HEAD_ROOM 2048
#define READ_ROOM 65536

enum fault { CONNECT, TIMEOUT, CLOSED, STATUS, LENGTH, CHECKSUM, PROTOCOL, FAULTS };
static const char *const fault_names[FAULTS] = {"connect", "timeout", "closed", "status", "length", "crc", "protocol"};

struct request {
    const char *path, *agent;
    int status;
    long size;
    bool has_crc;
    uint32_t crc;
};

struct phone {
    size_t first, count;
};

struct answer {
    int status;
    long length;      /* Content-Length, or -1 when the end of the connection ends it. */
    long body;        /* Bytes of body so far. */
    bool head_done, closes, chunked;
    int retry_after;  /* Seconds; -1 when the header is absent. */
    uint32_t crc;
};

enum state { FREE, ASKING, WAITING };

struct slot {
    enum state state;
    int fd;
    uint32_t phone;
    size_t step;
    int attempts;
    bool sent, reused, spoiled;
    int64_t deadline, phone_start, asked;
    struct answer answer;
    size_t head_size;
    char head[HEAD_ROOM];
};

static struct {
    const char *plan, *host;
    int port, retries;
    long concurrency, rounds;
    double rate, timeout_s, retry_wait_s, shed_wait_s, max_wall_s;
    bool keepalive, honour_retry_after, no_crc;
    uint64_t counter;
} opt = {.host = "127.0.0.1", .port = 80, .retries = 3, .rounds = 1, .timeout_s = 10, .retry_wait_s = 1, .shed_wait_s = 1, .max_wall_s = 120};

static struct {
    uint64_t requests, sheds, reconnects, faults[FAULTS], bytes;
    uint64_t phones_done, phones_failed, phones_spoiled;
    struct samples request_us, phone_us, shed_us;
} seen;

static struct request *requests;
static struct phone *phones;
static size_t phone_count, total_runs, next_run, ended_runs;
static struct slot *slots;
static uint32_t *free_slots;
static size_t slot_count, free_count;
static struct sockaddr_in server;
static int poller;
static uint8_t read_buffer[READ_ROOM];

static void ask(struct slot *s);

/* ---- plan ------------------------------------------------------------ */

static void read_plan(void)
{
    char *text = read_whole(opt.plan), *field[6], *last = NULL;
    size_t lines = count_lines(text), count = 0;
    requests = must_alloc(lines, sizeof *requests);
    phones = must_alloc(lines, sizeof *phones);
    for (int fields; (fields = next_row(&text, field, 6)) >= 0;) {
        if (fields < 5)
            continue;
        if (!last || strcmp(last, field[0]) != 0)
            phones[phone_count++].first = count;
        last = field[0];
        phones[phone_count - 1].count++;
        requests[count++] = (struct request){.path = field[1], .agent = field[2], .status = atoi(field[3]), .size = atol(field[4]),
            .has_crc = fields == 6 && !opt.no_crc, .crc = fields == 6 ? (uint32_t)strtoul(field[5], NULL, 16) : 0};
    }
    if (!phone_count) {
        fprintf(stderr, "the plan %s names no phone\n", opt.plan);
        exit(2);
    }
}

static const struct request *current(const struct slot *s)
{
    return &requests[phones[s->phone].first + s->step];
}

/* ---- a phone's life -------------------------------------------------- */

static void hang_up(struct slot *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void end_phone(struct slot *s, bool failed)
{
    hang_up(s);
    sample_add(&seen.phone_us, now_us() - s->phone_start);
    if (failed)
        seen.phones_failed++;
    else if (s->spoiled)
        seen.phones_spoiled++;
    else
        seen.phones_done++;
    s->state = FREE;
    free_slots[free_count++] = (uint32_t)(s - slots);
    ended_runs++;
}

static void start_phone(int64_t started)
{
    struct slot *s = &slots[free_slots[--free_count]];
    s->phone = (uint32_t)(next_run++ % phone_count);
    s->step = 0;
    s->attempts = 0;
    s->spoiled = false;
    s->fd = -1;
    s->phone_start = started;
    ask(s);
}

static void wait_then_ask(struct slot *s, double seconds)
{
    hang_up(s);
    s->state = WAITING;
    s->deadline = now_us() + (int64_t)(seconds * 1e6);
}

/* The transport failed: try again later, or give the phone up. */
static void fail(struct slot *s, enum fault kind)
{
    seen.faults[kind]++;
    if (s->attempts++ < opt.retries)
        wait_then_ask(s, opt.retry_wait_s);
    else
        end_phone(s, true);
}

static void next_step(struct slot *s)
{
    s->attempts = 0;
    if (++s->step == phones[s->phone].count) {
        end_phone(s, false);
        return;
    }
    if (!opt.keepalive || s->answer.closes)
        hang_up(s);
    ask(s);
}

/* ---- asking ---------------------------------------------------------- */

static size_t put_path(char *out, size_t room, const char *path)
{
    const char *mark = strstr(path, "{n}");
    int n = mark ? snprintf(out, room, "%.*s%012llx%s", (int)(mark - path), path, (unsigned long long)opt.counter++, mark + 3)
                 : snprintf(out, room, "%s", path);
    return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

/* A kept connection may end before its next answer starts: that is no fault. */
static void dial_again(struct slot *s)
{
    seen.reconnects++;
    hang_up(s);
    ask(s);
}

static void send_request(struct slot *s)
{
    static char path[1024], text[2048];
    const struct request *r = current(s);
    if (!put_path(path, sizeof path, r->path)) {
        fail(s, PROTOCOL);
        return;
    }
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: %s\r\nAccept: */*\r\n%s\r\n", path, opt.host,
                        opt.port, r->agent, opt.keepalive ? "" : "Connection: close\r\n");
    ssize_t sent = send(s->fd, text, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return; /* EPOLLOUT will bring us back. */
    if (sent == size)
        s->sent = true;
    else if (s->reused)
        dial_again(s);
    else
        fail(s, CLOSED);
}

static bool dial(struct slot *s)
{
    int one = 1;
    struct sockaddr_in from = phone_address(s->phone);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return false;
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(s->fd, (struct sockaddr *)&from, sizeof from) < 0)
        return false;
    if (connect(s->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event want = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)(s - slots)};
    return epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &want) == 0;
}

static void ask(struct slot *s)
{
    s->state = ASKING;
    s->sent = false;
    s->head_size = 0;
    s->answer = (struct answer){.length = -1, .retry_after = -1};
    s->asked = now_us();
    s->deadline = s->asked + (int64_t)(opt.timeout_s * 1e6);
    s->reused = s->fd >= 0;
    if (s->reused)
        send_request(s);
    else if (!dial(s))
        fail(s, CONNECT);
}

/* ---- answers --------------------------------------------------------- */

static bool header_is(const char *line, const char *name, const char **value)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    *value = line + n + 1 + strspn(line + n + 1, " ");
    return true;
}

static void read_header(struct answer *a, const char *line)
{
    const char *value;
    if (header_is(line, "content-length", &value))
        a->length = atol(value);
    else if (header_is(line, "connection", &value))
        a->closes = strncasecmp(value, "close", 5) == 0;
    else if (header_is(line, "retry-after", &value))
        a->retry_after = atoi(value);
    else if (header_is(line, "transfer-encoding", &value))
        a->chunked = true;
}

/* Reads status and headers; the head is NUL-terminated at `end`. */
static void read_head(struct slot *s, char *end)
{
    struct answer *a = &s->answer;
    *end = 0;
    if (strncmp(s->head, "HTTP/1.", 7) == 0 && strlen(s->head) > 12)
        a->status = atoi(s->head + 9);
    for (char *line = strstr(s->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        read_header(a, line);
    }
    if (a->status == 204 || a->status == 304)
        a->length = 0;
    a->head_done = true;
}

/* Takes bytes of the head; returns how many of `size` belong to it, -1 when it is too long. */
static ssize_t take_head(struct slot *s, const uint8_t *data, size_t size)
{
    size_t before = s->head_size, room = HEAD_ROOM - 1 - before, take = size < room ? size : room;
    memcpy(s->head + before, data, take);
    s->head_size += take;
    char *end = memmem(s->head, s->head_size, "\r\n\r\n", 4);
    if (!end)
        return s->head_size == HEAD_ROOM - 1 ? -1 : (ssize_t)size;
    size_t head = (size_t)(end + 4 - s->head);
    read_head(s, end);
    return (ssize_t)(head - before);
}

static enum fault judge(const struct slot *s)
{
    const struct request *r = current(s);
    const struct answer *a = &s->answer;
    if (!a->status || a->chunked || (a->length >= 0 && a->body > a->length))
        return PROTOCOL;
    if (a->status != r->status)
        return STATUS;
    if ((r->size >= 0 && a->body != r->size) || (a->length >= 0 && a->body != a->length))
        return LENGTH;
    return r->has_crc && a->crc != r->crc ? CHECKSUM : FAULTS;
}

static bool is_shed(const struct slot *s)
{
    return s->answer.status == 503 && s->answer.retry_after >= 0 && current(s)->status != 503;
}

/* Refused for now: the phone comes back after a while, or goes without this file. */
static void end_shed(struct slot *s)
{
    seen.sheds++;
    sample_add(&seen.shed_us, now_us() - s->asked);
    if (opt.honour_retry_after) {
        double wait = s->answer.retry_after;
        wait_then_ask(s, wait < opt.shed_wait_s ? wait : opt.shed_wait_s);
        return;
    }
    s->spoiled = true;
    next_step(s);
}

static void end_answer(struct slot *s)
{
    if (is_shed(s)) {
        end_shed(s);
        return;
    }
    enum fault fault = judge(s);
    if (fault != FAULTS) {
        seen.faults[fault]++;
        s->spoiled = true;
        s->answer.closes = true; /* What is left in the connection is not to be trusted. */
    } else {
        seen.requests++;
        seen.bytes += (uint64_t)s->answer.body;
        sample_add(&seen.request_us, now_us() - s->asked);
    }
    next_step(s);
}

/* Feeds bytes to the answer; true when it is complete. */
static bool take_bytes(struct slot *s, const uint8_t *data, size_t size)
{
    struct answer *a = &s->answer;
    if (!a->head_done) {
        ssize_t head = take_head(s, data, size);
        if (head < 0)
            return true; /* status 0: judged a protocol fault. */
        data += head;
        size -= (size_t)head;
    }
    if (!a->head_done)
        return false;
    a->body += (long)size;
    if (current(s)->has_crc && a->status == current(s)->status)
        a->crc = crc_update(a->crc, data, size);
    return a->chunked || (a->length >= 0 && a->body >= a->length);
}

static void on_close(struct slot *s)
{
    if (s->answer.head_done && s->answer.length < 0) {
        end_answer(s);
    } else if (s->reused && !s->head_size) {
        dial_again(s);
    } else {
        fail(s, s->sent ? CLOSED : CONNECT);
    }
}

static void on_readable(struct slot *s)
{
    for (;;) {
        ssize_t n = recv(s->fd, read_buffer, READ_ROOM, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            on_close(s);
            return;
        }
        if (take_bytes(s, read_buffer, (size_t)n)) {
            end_answer(s);
            return;
        }
    }
}

static void on_event(struct slot *s, uint32_t events)
{
    if (s->state != ASKING || s->fd < 0)
        return;
    int fd = s->fd;
    if (!s->sent && events & (EPOLLERR | EPOLLHUP)) {
        fail(s, CONNECT);
        return;
    }
    if (!s->sent && events & EPOLLOUT)
        send_request(s);
    if (s->state == ASKING && s->fd == fd && s->sent && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_readable(s);
}

/* ---- the storm ------------------------------------------------------- */

static void sweep(int64_t now)
{
    for (size_t i = 0; i < slot_count; i++) {
        struct slot *s = &slots[i];
        if (s->state == FREE || now < s->deadline)
            continue;
        if (s->state == WAITING)
            ask(s);
        else
            fail(s, TIMEOUT);
    }
}

/* Starts every phone that is due: at once up to the concurrency, or at --rate phones a second. */
static void start_due(int64_t began)
{
    while (next_run < total_runs && free_count) {
        int64_t due = opt.rate > 0 ? began + (int64_t)((double)next_run / opt.rate * 1e6) : 0;
        if (due > now_us())
            return;
        start_phone(due ? due : now_us());
    }
}

static void storm(int64_t began)
{
    struct epoll_event events[EVENTS];
    int64_t last_sweep = began, limit = began + (int64_t)(opt.max_wall_s * 1e6);
    int wait_ms = opt.rate > 0 ? 1 : 10;
    while (ended_runs < total_runs) {
        start_due(began);
        int count = epoll_wait(poller, events, EVENTS, wait_ms);
        for (int i = 0; i < count; i++)
            on_event(&slots[events[i].data.u32], events[i].events);
        int64_t now = now_us();
        if (now > limit)
            return;
        if (now - last_sweep >= SWEEP_US) {
            last_sweep = now;
            sweep(now);
        }
    }
}

static void report(double wall, double cpu)
{
    samples_sort(&seen.request_us);
    samples_sort(&seen.phone_us);
    samples_sort(&seen.shed_us);
    uint64_t errors = 0;
    for (int i = 0; i < FAULTS; i++)
        errors += seen.faults[i];
    printf("{\"requests\": %llu, \"errors\": %llu, \"errors_by_kind\": {", (unsigned long long)seen.requests, (unsigned long long)errors);
    for (int i = 0; i < FAULTS; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", fault_names[i], (unsigned long long)seen.faults[i]);
    printf("}, \"sheds\": %llu, \"shed_p99_ms\": %.3f, \"reconnects\": %llu, \"bytes\": %llu", (unsigned long long)seen.sheds,
           percentile_ms(&seen.shed_us, 99), (unsigned long long)seen.reconnects, (unsigned long long)seen.bytes);
    printf(", \"phones\": %llu, \"phones_failed\": %llu, \"phones_spoiled\": %llu, \"phones_unfinished\": %llu",
           (unsigned long long)seen.phones_done, (unsigned long long)seen.phones_failed, (unsigned long long)seen.phones_spoiled,
           (unsigned long long)(total_runs - ended_runs));
    printf(", \"requests_per_s\": %.1f, \"phones_per_s\": %.1f", (double)seen.requests / wall, (double)seen.phones_done / wall);
    printf(", \"request_p50_ms\": %.3f, \"request_p99_ms\": %.3f, \"request_max_ms\": %.3f", percentile_ms(&seen.request_us, 50),
           percentile_ms(&seen.request_us, 99), percentile_ms(&seen.request_us, 100));
    printf(", \"phone_p50_ms\": %.3f, \"phone_p99_ms\": %.3f, \"phone_last_ms\": %.3f", percentile_ms(&seen.phone_us, 50),
           percentile_ms(&seen.phone_us, 99), percentile_ms(&seen.phone_us, 100));
    printf(", \"cpu_s\": %.4f, \"wall_s\": %.4f}\n", cpu, wall);
}

static void usage(void)
{
    fprintf(stderr, "httpstorm --plan FILE --port N [--host 127.0.0.1] [--concurrency N (0: all)] [--keepalive] [--timeout S] [--retries N]\n"
                    "          [--retry-wait S] [--rounds N] [--rate PHONES_PER_S] [--honour-retry-after] [--shed-wait S] [--max-wall S]\n"
                    "          [--counter N] [--no-crc]\n");
    exit(2);
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {{"plan", 1, 0, 'p'}, {"host", 1, 0, 'h'}, {"port", 1, 0, 'P'}, {"concurrency", 1, 0, 'c'},
        {"keepalive", 0, 0, 'k'}, {"timeout", 1, 0, 't'}, {"retries", 1, 0, 'r'}, {"retry-wait", 1, 0, 'w'}, {"rounds", 1, 0, 'n'},
        {"rate", 1, 0, 'R'}, {"honour-retry-after", 0, 0, 'H'}, {"shed-wait", 1, 0, 's'}, {"max-wall", 1, 0, 'm'}, {"counter", 1, 0, 'C'},
        {"no-crc", 0, 0, 'x'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'p': opt.plan = optarg; break;
        case 'h': opt.host = optarg; break;
        case 'P': opt.port = atoi(optarg); break;
        case 'c': opt.concurrency = atol(optarg); break;
        case 'k': opt.keepalive = true; break;
        case 't': opt.timeout_s = atof(optarg); break;
        case 'r': opt.retries = atoi(optarg); break;
        case 'w': opt.retry_wait_s = atof(optarg); break;
        case 'n': opt.rounds = atol(optarg); break;
        case 'R': opt.rate = atof(optarg); break;
        case 'H': opt.honour_retry_after = true; break;
        case 's': opt.shed_wait_s = atof(optarg); break;
        case 'm': opt.max_wall_s = atof(optarg); break;
        case 'C': opt.counter = strtoull(optarg, NULL, 10); break;
        case 'x': opt.no_crc = true; break;
        default: usage();
        }
    }
    if (!opt.plan || opt.rounds < 1)
        usage();
}

static void prepare(void)
{
    read_plan();
    total_runs = phone_count * (size_t)opt.rounds;
    slot_count = opt.concurrency > 0 && (size_t)opt.concurrency < total_runs ? (size_t)opt.concurrency : total_runs;
    slots = must_alloc(slot_count, sizeof *slots);
    free_slots = must_alloc(slot_count, sizeof *free_slots);
    for (size_t i = slot_count; i-- > 0;) {
        slots[i].fd = -1;
        free_slots[free_count++] = (uint32_t)i;
    }
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
