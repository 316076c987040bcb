/* SPDX-License-Identifier: MIT */
/*
 * latency.c - how long requests take.
 *
 * Called by obituary.c, status.c and master.c. Reads no clock and logs nothing.
 */
#include "base/base.h"

#include "master/latency.h"

#include "master/master.h"

void latency_note_end(struct latency *latency, const uint64_t counts[BOARD_LATENCIES])
{
	for (size_t i = 0; i < BOARD_LATENCIES; i++)
		latency->ended[i] += counts[i];
}

void latency_take(struct latency *latency, const uint64_t sums[BOARD_LATENCIES], uint64_t now_ms)
{
	memcpy(latency->snapshots[latency->taken_total++ % LATENCY_SNAPSHOTS], sums, sizeof(latency->snapshots[0]));
	latency->next_ms = now_ms + LATENCY_STEP_MS;
}

void latency_recent(const struct latency *latency, const uint64_t sums[BOARD_LATENCIES], uint64_t ret_counts[BOARD_LATENCIES])
{
	const uint64_t *oldest = NULL;

	if (latency->taken_total >= LATENCY_SNAPSHOTS)
		oldest = latency->snapshots[latency->taken_total % LATENCY_SNAPSHOTS];
	for (size_t i = 0; i < BOARD_LATENCIES; i++) {
		uint64_t before = oldest != NULL ? oldest[i] : 0;

		/* A worker may write rubbish: a count that shrinks. */
		ret_counts[i] = sums[i] > before ? sums[i] - before : 0;
	}
}

uint64_t latency_total(const uint64_t counts[BOARD_LATENCIES])
{
	uint64_t total = 0;

	for (size_t i = 0; i < BOARD_LATENCIES; i++)
		total += counts[i];
	return total;
}

bool latency_quantile(const uint64_t counts[BOARD_LATENCIES], double part, double *ret_seconds)
{
	double wanted = part * (double)latency_total(counts);
	double begin_us = 0;

	if (wanted <= 0)
		return false;
	for (size_t i = 0; i < BOARD_LATENCIES; i++) {
		double end_us = (double)board_latency_end_us(i);
		double here = (double)counts[i];

		if (here > 0 && (wanted <= here || i == BOARD_LATENCIES - 1)) {
			*ret_seconds = (begin_us + (end_us - begin_us) * MIN(wanted / here, 1.0)) / 1e6;
			return true;
		}
		wanted -= here;
		begin_us = end_us;
	}
	/* Rounding of huge counts alone leads here. */
	*ret_seconds = begin_us / 1e6;
	return true;
}

void latency_sum(const struct master *master, uint64_t ret_sums[BOARD_LATENCIES])
{
	memcpy(ret_sums, master->latency.ended, sizeof(master->latency.ended));
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (slot_state(master->pool.slots[i]) != SLOT_EMPTY)
			board_add_latencies(&master->board, i, ret_sums);
}

void latency_on_time(struct master *master, uint64_t now_ms)
{
	uint64_t sums[BOARD_LATENCIES];

	if (!master->is_up)
		master->latency.next_ms = 0;
	if (!master->is_up || now_ms < master->latency.next_ms)
		return;
	latency_sum(master, sums);
	latency_take(&master->latency, sums, now_ms);
}
