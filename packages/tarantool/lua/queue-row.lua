-- The row of a queue, as one call has it: read at its beginning, changed in memory, written at its end.
--
-- Q is the generation of the queue: all that belongs to its jobs is stored under it, and a truncate draws a new one.
-- N never changes: answers are stored under it.
local pq = ...
local clock = require('clock')
local floor = math.floor

local NAME, N, Q, PAUSED, POSITION, FIRST, FENCE, ORDER, CALLS, COUNTS = 1, 2, 3, 4, 5, 6, 7, 8, 9, 9
-- The numbers of jobs by state are COUNTS + state. What was counted since the queue was made comes after them.
local COUNTERS = {
  put = 15, urgent = 16, take = 17, ack = 18, release = 19, requeue = 20, fail = 21, bury = 22, kick = 23, dig = 24,
  delete = 25, touch = 26, expired = 27, leaseExpired = 28, duplicate = 29,
}
pq.COUNTERS = COUNTERS
pq.COUNTS = COUNTS
pq.LAST_FENCE = FENCE
local LAST = 29

-- The server's clock, in ms since 1970.
function pq.now()
  return floor(clock.time() * 1000)
end

-- What a call knows of its queue.
local function context(row)
  return {
    row = row, name = row[NAME], n = row[N], q = row[Q], paused = row[PAUSED], now = pq.now(), changed = false,
    freed = 0, -- so many jobs may be taken that could not be before
    soon = math.huge, -- the earliest moment that this call has made something fall due at
  }
end

-- The queue of this name; nil when there is none.
function pq.find_queue(name)
  local row = pq.queues:get(name)
  return row and context(row:totable())
end

-- A number that no generation and no queue has.
local function draw()
  local next = pq.code:update('next', { { '+', 2, 1 } })
  return next[2]
end

function pq.find_or_make_queue(name)
  local c = pq.find_queue(name)
  if c ~= nil then return c end
  local row = { name, draw(), draw(), false }
  for field = POSITION, LAST do row[field] = 0 end
  c = context(row)
  c.changed = true
  return c
end

-- Write what has changed.
function pq.save(c)
  if c.changed then pq.queues:replace(c.row) end
end

-- From here on the queue has none of its jobs.
function pq.new_generation(c)
  c.q = draw()
  c.row[Q] = c.q
  c.changed = true
end

function pq.count(c, counter, by)
  local field = COUNTERS[counter]
  c.row[field] = c.row[field] + (by or 1)
  c.changed = true
end

-- The number of jobs in a state changes. WAITS counts as READY.
function pq.count_state(c, state, by)
  local field = COUNTS + (state == 0 and 1 or state)
  c.row[field] = c.row[field] + by
  c.changed = true
end

-- How many jobs take up room.
function pq.size(c)
  return c.row[COUNTS + 1] + c.row[COUNTS + 2] + c.row[COUNTS + 3]
end

-- Positions grow; those of urgent jobs go down from 0.
function pq.next_position(c)
  c.row[POSITION] = c.row[POSITION] + 1
  return c.row[POSITION]
end

function pq.next_urgent(c)
  c.row[FIRST] = c.row[FIRST] - 1
  return c.row[FIRST]
end

-- Greater than any before, of any job of this queue.
function pq.next_fence(c)
  c.row[FENCE] = c.row[FENCE] + 1
  return c.row[FENCE]
end

-- Tells what came earlier among the buried and the done.
function pq.next_order(c)
  c.row[ORDER] = c.row[ORDER] + 1
  return c.row[ORDER]
end

function pq.next_call(c)
  c.row[CALLS] = c.row[CALLS] + 1
  c.changed = true
  return c.row[CALLS]
end

function pq.set_paused(c, paused)
  c.paused = paused
  c.row[PAUSED] = paused
  c.changed = true
end
