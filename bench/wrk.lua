-- SPDX-License-Identifier: MIT
-- For wrk: a body of BENCH_BODY bytes, and at the end one line of JSON.
local size = tonumber(os.getenv("BENCH_BODY") or "0")

if size > 0 then
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/octet-stream"
	wrk.body = string.rep("e", size)
end

function done(summary, latency, requests)
	local errors = summary.errors
	local fields = {
		requests = summary.requests, microseconds = summary.duration, bytes = summary.bytes,
		not_200 = errors.status, connect = errors.connect, read = errors.read, write = errors.write, timeout = errors.timeout,
		p50_us = latency:percentile(50), p99_us = latency:percentile(99),
	}
	local parts = {}
	for name, value in pairs(fields) do
		parts[#parts + 1] = string.format('"%s": %d', name, value)
	end
	io.write("\n{" .. table.concat(parts, ", ") .. "}\n")
end
