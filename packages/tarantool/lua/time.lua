-- What was due by now happens before anything else does. A call works off so many changes at most: what a job by itself shows is exact
-- all the same, by `look`.
local pq = ...
local MOST = 1000

local function first(c, state)
  return pq.jobs.index.order:min({ c.q, state })
end

local function was_given_before(a, b)
  return a[pq.FENCE] < b[pq.FENCE]
end

-- The leases that are over next: those that end at the same moment, in the order in which they were given.
local function next_leases(c)
  local job = first(c, pq.LEASED)
  if job == nil or job[pq.RANK] > c.now then return {} end
  local leases = pq.jobs.index.order:select({ c.q, pq.LEASED, job[pq.RANK] })
  table.sort(leases, was_given_before)
  return leases
end

local function next_delayed(c)
  local job = first(c, pq.DELAYED)
  return (job ~= nil and job[pq.RANK] <= c.now) and { job } or {}
end

-- False when more is due than was done.
function pq.catch_up(c)
  local left = MOST
  local function all(next, act)
    local jobs = next(c)
    while #jobs > 0 do
      for _, job in ipairs(jobs) do
        if left == 0 then return false end
        left = left - 1
        act(c, job)
      end
      jobs = next(c)
    end
    return true
  end
  if not (all(next_leases, pq.end_lease) and all(next_delayed, pq.fall_due)) then return false end
  local last = pq.ends.index.pk:min({ c.q })
  while last ~= nil and last[2] <= c.now do
    if left == 0 then return false end
    left = left - 1
    pq.come_to_end(c, last[2], last[3])
    last = pq.ends.index.pk:min({ c.q })
  end
  return true
end

-- This job, as it is now.
function pq.look(c, id)
  local function get() return pq.jobs:get({ c.q, id }) end
  local job = get()
  if job == nil then return nil end
  if job[pq.STATE] == pq.LEASED and job[pq.RANK] <= c.now then pq.end_lease(c, job) end
  if job[pq.STATE] == pq.DELAYED and job[pq.RANK] <= c.now then pq.fall_due(c, job) end
  job = get()
  local ends = job[pq.STATE] == pq.DONE and job[pq.KEEP] or job[pq.EXPIRES]
  if ends == nil or ends > c.now then return job end
  pq.come_to_end(c, ends, id)
  return get()
end

-- When something falls due next; nil: nothing does.
function pq.next_moment(c)
  local moment = nil
  local function at(time) moment = math.min(moment or math.huge, tonumber(time)) end
  for _, state in ipairs({ pq.LEASED, pq.DELAYED }) do
    local job = first(c, state)
    if job ~= nil then at(job[pq.RANK]) end
  end
  local last = pq.ends.index.pk:min({ c.q })
  if last ~= nil then at(last[2]) end
  return moment
end
