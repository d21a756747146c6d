-- What is stored, and how the fields are numbered. `install.lua` makes the spaces; `docs/design.md` tells why they look so.
--
--   queues   one row for each queue: its counters, and the numbers that were drawn last
--   jobs     one row for each job; its index `order` is the order of the jobs of each state
--   blobs    pieces of what is too large for a row of a job
--   keys     who holds a key
--   lanes    the members of a group that have a position, in its order
--   turns    the member of a group that may be given out, or is leased
--   ends     when a TTL or a kept result ends
--   answers  what calls were answered
--   garbage  generations of queues that were truncated: what they held is swept away bit by bit
--   damaged  jobs that could not be read
local pq = ...

local function space(name)
  return box.space[pq.prefix .. '_' .. name]
end

pq.queues, pq.jobs, pq.blobs, pq.keys = space('queues'), space('jobs'), space('blobs'), space('keys')
pq.lanes, pq.turns, pq.ends = space('lanes'), space('turns'), space('ends')
pq.answers, pq.garbage, pq.damaged, pq.code = space('answers'), space('garbage'), space('damaged'), space('code')

-- The states of a job. WAITS is ready, too, but behind another member of its group.
pq.WAITS, pq.READY, pq.DELAYED, pq.LEASED, pq.BURIED, pq.DONE = 0, 1, 2, 3, 4, 5

-- A row of `jobs`. Those after PAYLOAD are there only where a job needs one of them.
--
-- The index `order` is by Q, STATE, RANK, POSITION. RANK is the rank of the place (`jobs.lua`) while the job is ready, the time until which
-- it is delayed or leased, and a number drawn from the queue when it was buried or done.
-- PAYLOAD, ERROR, PROGRESS and RESULT are bytes, or the number of pieces that stand in `blobs`. FLAGS are bits: URGENT, and IN_PIECES when a
-- field has, or had, pieces: so nobody has to look at the bytes to know.
pq.Q, pq.ID, pq.STATE, pq.RANK, pq.POSITION, pq.FENCE, pq.ATTEMPT, pq.MAX, pq.CREATED = 1, 2, 3, 4, 5, 6, 7, 8, 9
pq.PRIORITY, pq.FLAGS, pq.HOLDER, pq.HEADERS, pq.PAYLOAD = 10, 11, 12, 13, 14
pq.GROUP, pq.KEY, pq.EXPIRES, pq.LEASE, pq.KEEP, pq.REASON, pq.ERROR, pq.PROGRESS, pq.RESULT = 15, 16, 17, 18, 19, 20, 21, 22, 23
pq.URGENT, pq.IN_PIECES = 1, 2
