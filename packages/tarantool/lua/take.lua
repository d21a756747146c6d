-- Take: lease the first jobs.
local pq = ...
local ID, FENCE = pq.ID, pq.FENCE

-- An answer that has so many bytes is large enough. So is one that has so many jobs.
local MOST_BYTES = 4 * 1024 * 1024
local MOST_JOBS = 10000

-- What a take gives out.
local function new_batch()
  return { jobs = {}, blobs = {}, damaged = {}, bytes = 0 }
end

-- Add a job; false when it cannot be read.
local function add(batch, job)
  local number = #batch.jobs + 1
  if not pq.load_bytes(job, number, batch.blobs) then return false end
  batch.jobs[number] = job
  batch.bytes = batch.bytes + pq.bytes_of(job)
  return true
end

local function was_given_before(a, b)
  return a[FENCE] < b[FENCE]
end

-- The jobs that a request leased, and has still. It was given so many fences from the first on. They are looked for among all leased jobs: it is
-- seldom that a take is made again, and to remember their ids would cost each take something, and much memory for each number of them.
local function held(c, first, count)
  local found, batch = {}, new_batch()
  for _, job in pq.jobs.index.order:pairs({ c.q, pq.LEASED }) do
    if job[FENCE] >= first and job[FENCE] < first + count and job[pq.RANK] > c.now then found[#found + 1] = job end
  end
  table.sort(found, was_given_before)
  for _, job in ipairs(found) do add(batch, job) end
  return batch
end

-- Put aside what cannot be read.
local function put_aside(c, job, batch)
  pq.damaged:replace({ c.n, job[ID], c.now, job:totable() })
  batch.damaged[#batch.damaged + 1] = job[ID]
  pq.drop(c, job)
end

-- Lease the first jobs there are, and put aside what cannot be read among them.
local function lease_first(c, batch, limit, lease, member)
  local lease_row = pq.new_leaser(c.q, member)
  local found = pq.jobs.index.order:select({ c.q, pq.READY }, { limit = math.min(tonumber(limit), MOST_JOBS) })
  for index = 1, #found do
    local job = found[index]
    if add(batch, job) then
      local own = job[pq.LEASE]
      local ends = c.now + tonumber(own == nil and lease or own)
      if job[pq.GROUP] ~= nil then pq.leave_lane(c, job) end
      lease_row(job[ID], ends, pq.next_fence(c), job[pq.ATTEMPT] + 1)
      if ends < c.soon then c.soon = ends end
    else
      put_aside(c, job, batch)
    end
    if batch.bytes > MOST_BYTES then break end
  end
  pq.count_state(c, pq.READY, -#batch.jobs)
  pq.count_state(c, pq.LEASED, #batch.jobs)
end

-- Answers rows, what they have in pieces, the ids of those that were put aside, and the first of the fences that they were given, one after the
-- other. Such rows are as they were before this take. Without a fence they were leased before, and are as they are now.
function pq.methods.take(name, request, limit, lease, member)
  -- Its connection went before this came to be done: nobody would give these jobs back.
  if pq.state.members[member] == nil then error('pq: this process has not said hello', 0) end
  local c = pq.find_queue(name)
  if c == nil then return nil, {}, {}, {} end
  pq.catch_up(c)
  local known = pq.known(c, request)
  if known ~= nil then
    local batch = held(c, known[1], known[2])
    if #batch.jobs > 0 then return c, batch.jobs, batch.blobs, batch.damaged end
  end
  if c.paused then return c, {}, {}, {} end
  local batch, aside = new_batch(), nil
  repeat
    aside = #batch.damaged
    lease_first(c, batch, limit, lease, member)
  until #batch.jobs > 0 or #batch.damaged == aside
  local count = #batch.jobs
  local first = c.row[pq.LAST_FENCE] - count + 1
  if count > 0 then
    pq.count(c, 'take', count)
    pq.remember(c, request, { first, count })
  end
  return c, batch.jobs, batch.blobs, batch.damaged, first
end
