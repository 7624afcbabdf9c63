/* SPDX-License-Identifier: MIT */
/*
 * Streams: several bodies at once over one multi handle, each through these states:
 *
 *   WAITING --start--> RUNNING --complete--> FINISHING --sink says so--> DONE
 *      ^------ cut ------'                       (digest, rename)
 *
 * After a cut the request says Range: bytes=N- and If-Range. A server that answers with
 * the whole body is read from its start and the first N bytes are dropped: the sink sees
 * every byte once. Whether the two parts fit together is for the digest to say.
 */
#include "host/fetch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "host/fetch_exchange.h"

#define PROGRESS_MS 250U

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING, SLOT_FINISHING };

struct slot {
	enum slot_state state;
	struct fetch_stream *stream;
	struct fetch_exchange exchange;
	uint64_t retry_at_ms;
	uint64_t blocked_ms;   /* since when the sink takes nothing, 0: it does */
	uint64_t start;        /* stream->received when this attempt began */
	uint64_t skip;         /* bytes of this answer that the sink has already */
	unsigned int attempts; /* in a row without one new byte */
	bool begun;            /* sink.begin was called */
	bool head_done;        /* the head of this answer was looked at */
	bool whole;            /* Range does not work with this server */
	bool again;            /* this attempt's error is one to try again after */
	bool sink_failed;
	char validator[128];
};

struct loop {
	struct fetch *fetch;
	struct fetch_stream *streams;
	size_t count;
	size_t next; /* first stream that has had no slot */
	struct slot slots[FETCH_PARALLEL];
	const struct fetch_progress *progress;
	uint64_t progress_ms;
};

static uint64_t now_ms(const struct slot *slot)
{
	return slot->exchange.fetch->env->now_ms();
}

static int head_partial(struct slot *slot, const struct fetch_head *head)
{
	struct fetch_stream *stream = slot->stream;

	if (stream->received == 0 || slot->whole || !head->has_range ||
		head->range_start != stream->received) {
		slot->whole = true;
		slot->again = true;
		return err_set(&slot->exchange.err, E_NET,
			"the server sent another part than the one asked for");
	}
	if (head->range_total && stream->size && head->range_total != stream->size) {
		stream->changed = true;
		return err_set(&slot->exchange.err, E_NET,
			"changed on the server while it was fetched");
	}
	if (head->range_total)
		stream->size = head->range_total;
	return 0;
}

static int head_whole(struct slot *slot, const struct fetch_head *head)
{
	struct fetch_stream *stream = slot->stream;

	slot->skip = stream->received;
	if (!head->has_length)
		return 0;
	if (stream->size && head->length != stream->size) {
		stream->changed = true;
		return err_set(&slot->exchange.err, E_NET,
			"changed on the server while it was fetched");
	}
	stream->size = head->length;
	return 0;
}

/* Judges the head of a 2xx answer before the first byte of its body is used. */
static int look_at_head(struct slot *slot)
{
	const struct fetch_head *head = &slot->exchange.head;
	struct fetch_stream *stream = slot->stream;
	struct err *err = &slot->exchange.err;
	int rc;

	slot->head_done = true;
	slot->skip = 0;
	if (head->status == 206)
		rc = head_partial(slot, head);
	else if (head->status == 200)
		rc = head_whole(slot, head);
	else
		rc = err_set(err, E_HTTP, "HTTP status %ld has no body to fetch",
			head->status);
	if (rc < 0)
		return rc;
	if (stream->size > stream->limit)
		return err_set(err, E_TOO_BIG, "%llu bytes, more than the %llu allowed",
			(unsigned long long)stream->size,
			(unsigned long long)stream->limit);
	memcpy(slot->validator, head->validator, sizeof(slot->validator));
	if (stream->received)
		stream->resumed++;
	if (slot->begun)
		return 0;
	slot->begun = true;
	rc = stream->sink.begin(stream->sink.context, stream->size, err);
	slot->sink_failed = rc < 0;
	return rc;
}

static int stream_body(struct fetch_exchange *exchange, const void *bytes, size_t len)
{
	struct slot *slot = exchange->owner;
	struct fetch_stream *stream = slot->stream;
	size_t skip;
	int rc = slot->head_done ? 0 : look_at_head(slot);

	if (rc < 0)
		return rc;
	skip = slot->skip < len ? (size_t)slot->skip : len;
	if (len - skip > stream->limit - stream->received)
		return err_set(&exchange->err, E_TOO_BIG,
			"more than the %llu bytes allowed",
			(unsigned long long)stream->limit);
	if (len > skip)
		rc = stream->sink.write(stream->sink.context, (const char *)bytes + skip,
			len - skip, &exchange->err);
	if (rc == -EAGAIN) {
		if (!slot->blocked_ms)
			slot->blocked_ms = now_ms(slot);
		return rc;
	}
	slot->blocked_ms = 0;
	slot->sink_failed = rc < 0;
	if (rc < 0)
		return rc;
	slot->skip -= skip;
	stream->received += len - skip;
	return 0;
}

static void slot_end(struct slot *slot, int code)
{
	slot->stream->code = code;
	fetch_exchange_stop(&slot->exchange);
	strlist_done(&slot->exchange.headers);
	slot->state = SLOT_FREE;
}

/* The lines that ask for the rest of a body. */
static int range_headers(struct slot *slot)
{
	struct strlist *headers = &slot->exchange.headers;
	int rc;

	strlist_done(headers);
	if (slot->stream->received == 0 || slot->whole)
		return 0;
	rc = strlist_printf(headers, "Range: bytes=%llu-",
		(unsigned long long)slot->stream->received);
	if (rc == 0 && slot->validator[0])
		rc = strlist_printf(headers, "If-Range: %s", slot->validator);
	return rc;
}

static void slot_start(struct slot *slot)
{
	struct fetch_stream *stream = slot->stream;
	int rc = range_headers(slot);

	slot->start = stream->received;
	slot->head_done = false;
	slot->again = false;
	slot->blocked_ms = 0;
	if (rc < 0)
		rc = err_errno(&stream->err, ENOMEM, "fetch '%s'", stream->name);
	else
		rc = fetch_exchange_start(&slot->exchange, &stream->err);
	if (rc < 0)
		slot_end(slot, rc);
	else
		slot->state = SLOT_RUNNING;
}

/* True when another attempt may bring what this one did not. */
static bool worth_retry(struct slot *slot, int code)
{
	long status = slot->exchange.head.status;

	if (slot->sink_failed || slot->stream->changed)
		return false;
	if (status == 416 && slot->stream->received && !slot->whole) {
		slot->whole = true; /* the server cannot go on there */
		return true;
	}
	if (code == -E_NOT_YET) /* these two do not pass within seconds */
		return status != 404 && status != 412;
	return slot->again || code == -E_NET || code == -E_TIMEOUT;
}

/* Doubling, half of it jitter so that a rack does not come back in step; what the server
 * asks for if that is longer; never above the cap. */
static uint64_t back_off_ms(struct slot *slot)
{
	const struct fetch_limits *limits = &slot->exchange.fetch->config.limits;
	uint64_t asked = 1000ULL * fetch_head_retry_after(&slot->exchange.head);
	uint64_t wait = limits->retry_base_ms;

	for (unsigned int i = 1; i < slot->attempts && wait < limits->retry_cap_ms; i++)
		wait *= 2;
	if (wait > limits->retry_cap_ms)
		wait = limits->retry_cap_ms;
	wait = wait / 2 +
	       env_jitter(slot->exchange.fetch->env, (unsigned int)(wait / 2) + 1);
	if (asked > wait)
		wait = asked < limits->retry_cap_ms ? asked : limits->retry_cap_ms;
	return wait;
}

static void slot_failed(struct slot *slot, int code)
{
	const struct fetch_limits *limits = &slot->exchange.fetch->config.limits;
	struct fetch_stream *stream = slot->stream;

	if (stream->received > slot->start)
		slot->attempts = 0;
	slot->attempts++;
	if (!worth_retry(slot, code)) {
		slot_end(slot, code);
		return;
	}
	if (slot->attempts >= limits->retry_count) {
		slot_end(slot,
			err_wrap(&stream->err, "after %u attempts", slot->attempts));
		return;
	}
	slot->retry_at_ms = now_ms(slot) + back_off_ms(slot);
	fetch_exchange_stop(&slot->exchange);
	slot->state = SLOT_WAITING;
}

/* libcurl has ended an exchange. */
static void slot_message(struct slot *slot, CURLcode result)
{
	struct fetch_stream *stream = slot->stream;
	int rc;

	if (slot->sink_failed) {
		stream->err = slot->exchange.err;
		slot_end(slot, stream->err.code);
		return;
	}
	rc = fetch_exchange_end(&slot->exchange, result, &stream->err);
	if (rc == 1) {
		slot->head_done = false;
		return;
	}
	if (rc == 0 && !slot->head_done && look_at_head(slot) < 0)
		rc = fetch_exchange_end(&slot->exchange, result, &stream->err);
	if (rc == 0 && (slot->skip || (stream->size && stream->received != stream->size)))
		rc = err_set(&stream->err, E_NET, "'%s': the body ends after %llu bytes",
			stream->name, (unsigned long long)stream->received);
	if (rc < 0) {
		slot_failed(slot, rc);
		return;
	}
	fetch_exchange_stop(&slot->exchange);
	slot->state = SLOT_FINISHING;
}

static void slot_finish(struct slot *slot)
{
	struct fetch_stream *stream = slot->stream;
	int rc = stream->sink.finish(stream->sink.context, &stream->err);

	if (rc != -EAGAIN)
		slot_end(slot, rc);
	else if (!slot->blocked_ms)
		slot->blocked_ms = now_ms(slot);
}

static bool slot_is_blocked(const struct slot *slot)
{
	return slot->state == SLOT_FINISHING ||
	       (slot->state == SLOT_RUNNING && slot->exchange.paused);
}

/* After the wait: goes on with what was blocked and no longer is, ends what is for too
 * long. */
static void slot_unblock(struct slot *slot)
{
	const struct fetch_limits *limits = &slot->exchange.fetch->config.limits;
	struct pollfd ready = {.fd = -1};
	struct fetch_stream *stream = slot->stream;

	ready.fd = stream->sink.poll_fd(stream->sink.context, &ready.events);
	if (slot->blocked_ms && now_ms(slot) - slot->blocked_ms > limits->sink_stall_ms) {
		slot_end(slot,
			err_set(&stream->err, E_TIMEOUT,
				"'%s': nothing was taken for %u s; is the disk stuck?",
				stream->name, limits->sink_stall_ms / 1000));
	} else if (slot->state == SLOT_RUNNING &&
		   (ready.fd < 0 || poll(&ready, 1, 0) != 0)) {
		slot->exchange.paused = false;
		/* a failure comes back as the exchange's result */
		(void)curl_easy_pause(slot->exchange.easy, CURLPAUSE_CONT);
	}
}

/* Gives free slots to streams, starts those whose back-off is over. False: all are done.
 */
static bool loop_fill(struct loop *loop)
{
	bool busy = false;

	for (size_t i = 0; i < FETCH_PARALLEL; i++) {
		struct slot *slot = &loop->slots[i];

		if (slot->state == SLOT_FREE && loop->next < loop->count) {
			struct fetch_stream *stream = &loop->streams[loop->next++];

			memset(slot, 0, sizeof(*slot));
			slot->stream = stream;
			slot->exchange.fetch = loop->fetch;
			slot->exchange.request.url = stream->url;
			slot->exchange.request.allow_http = stream->allow_http;
			slot->exchange.max_ms = loop->fetch->config.limits.stream_ms;
			slot->exchange.body = stream_body;
			slot->exchange.owner = slot;
			slot->state = SLOT_WAITING;
		}
		if (slot->state == SLOT_WAITING && now_ms(slot) >= slot->retry_at_ms)
			slot_start(slot);
		busy = busy || slot->state != SLOT_FREE;
	}
	return busy || loop->next < loop->count;
}

static void loop_messages(struct loop *loop)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(loop->fetch->multi, &left))) {
		struct fetch_exchange *exchange = NULL;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
				&exchange) == CURLE_OK &&
			exchange)
			slot_message(exchange->owner, message->data.result);
	}
}

static void loop_progress(struct loop *loop)
{
	uint64_t now = loop->fetch->env->now_ms(), done = 0, total = 0;

	if (!loop->progress || now - loop->progress_ms < PROGRESS_MS)
		return;
	loop->progress_ms = now;
	for (size_t i = 0; i < loop->count; i++) {
		done += loop->streams[i].received;
		total += loop->streams[i].size;
	}
	loop->progress->update(loop->progress->context, done, total);
}

static short curl_events(short events)
{
	return (short)((events & POLLIN ? CURL_WAIT_POLLIN : 0) |
		       (events & POLLOUT ? CURL_WAIT_POLLOUT : 0));
}

/* Waits for a socket, for a sink, for the end of a back-off or for the next progress. */
static CURLMcode loop_wait(struct loop *loop)
{
	struct curl_waitfd fds[FETCH_PARALLEL];
	uint64_t now = loop->fetch->env->now_ms(), wait = PROGRESS_MS;
	unsigned int count = 0;
	bool busy = false;

	for (size_t i = 0; i < FETCH_PARALLEL; i++) {
		struct slot *slot = &loop->slots[i];
		short events = 0;
		int fd;

		busy = busy || slot->state != SLOT_FREE;
		if (slot->state == SLOT_FREE)
			wait = loop->next < loop->count ? 0 : wait;
		if (slot->state == SLOT_WAITING && slot->retry_at_ms < now + wait)
			wait = slot->retry_at_ms > now ? slot->retry_at_ms - now : 0;
		if (!slot_is_blocked(slot))
			continue;
		fd = slot->stream->sink.poll_fd(slot->stream->sink.context, &events);
		if (fd >= 0)
			fds[count++] = (struct curl_waitfd){
				.fd = fd, .events = curl_events(events)};
		else
			wait = 0;
	}
	if (!busy)
		return CURLM_OK; /* the last stream has ended: nothing would wake a poll
				  */
	return curl_multi_poll(loop->fetch->multi, fds, count, (int)wait, NULL);
}

static int loop_run(struct loop *loop, struct err *err)
{
	CURLMcode rc = CURLM_OK;
	int running;

	while (rc == CURLM_OK && loop_fill(loop)) {
		rc = curl_multi_perform(loop->fetch->multi, &running);
		loop_messages(loop);
		for (size_t i = 0; i < FETCH_PARALLEL; i++)
			if (loop->slots[i].state == SLOT_FINISHING)
				slot_finish(&loop->slots[i]);
		loop_progress(loop);
		if (rc == CURLM_OK)
			rc = loop_wait(loop);
		for (size_t i = 0; i < FETCH_PARALLEL; i++)
			if (slot_is_blocked(&loop->slots[i]))
				slot_unblock(&loop->slots[i]);
	}
	if (rc == CURLM_OK)
		return 0;
	for (size_t i = 0; i < FETCH_PARALLEL; i++)
		if (loop->slots[i].state != SLOT_FREE)
			slot_end(&loop->slots[i], -E_BUG);
	return err_set(err, E_BUG, "fetch: %s", curl_multi_strerror(rc));
}

int fetch_streams(struct fetch *fetch, struct fetch_stream *streams, size_t count,
	const struct fetch_progress *progress, struct err *err)
{
	struct loop loop = {
		.fetch = fetch, .streams = streams, .count = count, .progress = progress};
	int rc = loop_run(&loop, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (streams[i].code == 0)
			continue;
		if (err)
			*err = streams[i].err;
		return streams[i].code;
	}
	if (progress) {
		loop.progress_ms = 0;
		loop_progress(&loop);
	}
	return 0;
}
