-- Look without leasing.
local pq = ...

-- An answer is no larger than this, if it has more than one job.
local MOST_BYTES = 8 * 1024 * 1024

-- Add a job; false when the answer is full. One that cannot be read is left out.
local function add(found, job)
  local bytes = pq.bytes_of(job)
  if #found.jobs > 0 and found.bytes + bytes > MOST_BYTES then return false end
  if pq.load_bytes(job, #found.jobs + 1, found.blobs) then found.jobs[#found.jobs + 1] = job end
  found.bytes = found.bytes + bytes
  return true
end

-- Certain jobs, in this order. The second number answered is how many of the ids were looked at.
function pq.methods.read(name, ids)
  local found = { jobs = {}, blobs = {}, bytes = 0 }
  local c, count = pq.find_queue(name), #ids / 16
  if c == nil then return nil, found.jobs, found.blobs, count end
  pq.catch_up(c)
  for index = 1, count do
    local job = pq.look(c, ids:sub(16 * index - 15, 16 * index))
    if job ~= nil and not add(found, job) then return c, found.jobs, found.blobs, index - 1 end
  end
  return c, found.jobs, found.blobs, count
end

-- Those of a state after a place.
local function after(c, state, limit, rank, position)
  if rank == nil then return pq.jobs.index.order:select({ c.q, state }, { limit = limit }) end
  local from = pq.jobs.index.order:select({ c.q, state, rank, position }, { limit = limit, iterator = 'GT' })
  local found = {}
  for _, job in ipairs(from) do
    if job[pq.Q] ~= c.q or job[pq.STATE] ~= state then break end
    found[#found + 1] = job
  end
  return found
end

local function is_before(a, b)
  if a[pq.RANK] ~= b[pq.RANK] then return a[pq.RANK] < b[pq.RANK] end
  return a[pq.POSITION] < b[pq.POSITION]
end

-- Both in the order of their places.
local function merge(a, b)
  if #b == 0 then return a end
  local merged, i, j = {}, 1, 1
  while i <= #a or j <= #b do
    if j > #b or (i <= #a and is_before(a[i], b[j])) then
      merged[#merged + 1], i = a[i], i + 1
    else
      merged[#merged + 1], j = b[j], j + 1
    end
  end
  return merged
end

-- A page of one state, after this place. Answers whether there are more.
function pq.methods.list(name, state, limit, rank, position)
  local found = { jobs = {}, blobs = {}, bytes = 0 }
  local c = pq.find_queue(name)
  if c == nil then return nil, found.jobs, found.blobs, false end
  pq.catch_up(c)
  local jobs = after(c, state, limit + 1, rank, position)
  if state == pq.READY then jobs = merge(jobs, after(c, pq.WAITS, limit + 1, rank, position)) end
  for index, job in ipairs(jobs) do
    if index > limit or not add(found, job) then return c, found.jobs, found.blobs, true end
  end
  return c, found.jobs, found.blobs, false
end

-- Its row, but for its name; nil for a queue that is unknown.
function pq.methods.stats(name)
  local c = pq.find_queue(name)
  if c == nil then return nil, box.NULL end
  pq.catch_up(c)
  return c, c.row
end

-- The names of those that ever had a job.
function pq.methods.queues()
  local names = {}
  for _, row in pq.queues:pairs() do
    if row[pq.COUNTERS.put] > 0 then names[#names + 1] = row[1] end
  end
  return nil, names
end
