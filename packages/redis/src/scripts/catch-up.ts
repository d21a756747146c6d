/**
 * What falls due by itself: leases run out, delays end, TTLs and kept results end. Every script does this first, up to `STEPS` of each kind, so
 * that a million expired leases stop nobody; then `behind` is true, and `current` does it for single jobs.
 */
export const catchUp: string = String.raw`
local STEPS = 250
local behind = false

local function expireLease(job)
  count('leaseExpired')
  unlease(job)
  if job.attempt >= maxAttempts(job) then toBuried(job, 'l') else toReturned(job) end
end

local function fallDue(job)
  call('ZREM', DELAYED, job.position .. job.id)
  if job.lane == '1' then toEndFirst(job, true) else toReady(job) end
end

local function lifeIsOver(job)
  local f = features(job)
  return f.ttl and f.created + f.ttl <= now and (job.kind == 'r' or job.kind == 'w' or job.kind == 'd')
end

local function due(key)
  local list = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, STEPS)
  if #list == STEPS then behind = true end
  return list
end

-- Leases that end at the same moment are over in the order in which they were given.
local function inOrderOfTakes(ids)
  local jobs, order = {}, {}
  for _, id in ipairs(ids) do
    local job = load(id)
    if job and job.kind == 'l' then
      job.ends, job.number = tonumber(call('ZSCORE', LEASED, id)), read('>I6', job.fence)
      jobs[#jobs + 1] = job
    else
      call('ZREM', LEASED, id)
    end
    if job and not order[job.fence] then
      order[job.fence] = {}
      local taken = call('HGET', TAKES, 'i' .. job.fence) or ''
      for at = 1, #taken, 16 do order[job.fence][sub(taken, at, at + 15)] = at end
    end
  end
  table.sort(jobs, function(a, b)
    if a.ends ~= b.ends then return a.ends < b.ends end
    if a.number ~= b.number then return a.number < b.number end
    return (order[a.fence][a.id] or 0) < (order[b.fence][b.id] or 0)
  end)
  return jobs
end

local function endOf(id)
  local job = load(id)
  if job and job.kind == 'e' then
    drop(job)
  elseif job and lifeIsOver(job) then
    count('expired')
    drop(job)
  else
    call('ZREM', ENDS, id)
  end
end

local function catchUp()
  for _, job in ipairs(inOrderOfTakes(due(LEASED))) do expireLease(job) end
  for _, member in ipairs(due(DELAYED)) do
    local job = load(sub(member, 8))
    call('ZREM', DELAYED, member)
    if job and job.kind == 'd' then fallDue(job) end
  end
  flush()
  for _, id in ipairs(due(ENDS)) do endOf(id) end
end

-- The job as it is by now: also when there was too much to catch up with.
local function current(id)
  local job = load(id)
  if not job or not behind then return job end
  if job.kind == 'l' and (tonumber(call('ZSCORE', LEASED, id)) or 0) <= now then
    expireLease(job)
  elseif job.kind == 'd' and (tonumber(call('ZSCORE', DELAYED, job.position .. id)) or 0) <= now then
    fallDue(job)
    flush()
  end
  job = load(id)
  if not job then return nil end
  if job.kind == 'e' and (tonumber(call('ZSCORE', ENDS, id)) or 0) <= now or lifeIsOver(job) then
    endOf(id)
    return nil
  end
  return job
end
`;
