-- What happens to one job. Each function takes the row as it is and leaves everything that belongs to it in order: the numbers of jobs by
-- state, its key, its group, its end, its bytes.
--
-- The rank of a place: urgent jobs before all others, then by priority, then the returned before the fresh.
local pq = ...
local STATE, RANK, POSITION, FENCE, ID = pq.STATE, pq.RANK, pq.POSITION, pq.FENCE, pq.ID
local WAITS, READY, DELAYED, LEASED, BURIED, DONE = pq.WAITS, pq.READY, pq.DELAYED, pq.LEASED, pq.BURIED, pq.DONE

local URGENT_RANK = -1
local LOWEST_PRIORITY = 2147483648

function pq.rank_of(job, returned)
  if job[pq.FLAGS] % 2 == pq.URGENT then return URGENT_RANK end
  return (job[pq.PRIORITY] + LOWEST_PRIORITY) * 2 + (returned and 0 or 1)
end

-- Change fields of a job. Rows are short where nothing of the rest is needed: what comes before a field must be there.
local function update(c, job, ops)
  local key, fields, longest = { c.q, job[ID] }, #job, 0
  for _, op in ipairs(ops) do longest = math.max(longest, op[2]) end
  if longest > fields then
    local missing = {}
    for field = fields + 1, longest do missing[#missing + 1] = { '=', field, box.NULL } end
    pq.jobs:update(key, missing)
  end
  return pq.jobs:update(key, ops)
end
pq.update_job = update

-- While a job is ready or delayed, its TTL may end it.
local function watch_end(c, job)
  local expires = job[pq.EXPIRES]
  if expires ~= nil then
    pq.ends:replace({ c.q, expires, job[ID] })
    c.soon = math.min(c.soon, tonumber(expires))
  end
end

-- Make it ready, at this place. It is in no state that is counted, and in no lane.
local function enter_ready(c, job, rank, position, ops)
  local group = job[pq.GROUP]
  ops[#ops + 1] = { '=', STATE, group == nil and READY or WAITS }
  ops[#ops + 1] = { '=', RANK, rank }
  ops[#ops + 1] = { '=', POSITION, position }
  job = update(c, job, ops)
  pq.count_state(c, READY, 1)
  watch_end(c, job)
  if group == nil then
    c.freed = c.freed + 1
  else
    pq.enter_lane(c, job, position)
    pq.give_turn(c, group)
  end
end

-- It leaves its state, and its group.
local function leave(c, job)
  pq.count_state(c, job[STATE], -1)
  if job[pq.GROUP] ~= nil then pq.leave_group(c, job) end
end

-- When it is gone from its state for good, another of its group may come.
local function let_others_come(c, job)
  if job[pq.GROUP] ~= nil then pq.give_turn(c, job[pq.GROUP]) end
end

local function drop_key(c, job)
  if job[pq.KEY] ~= nil and job[STATE] ~= DONE then pq.keys:delete({ c.q, job[pq.KEY] }) end
end

-- The job is gone.
function pq.drop(c, job)
  leave(c, job)
  drop_key(c, job)
  if job[pq.EXPIRES] ~= nil then pq.ends:delete({ c.q, job[pq.EXPIRES], job[ID] }) end
  if job[STATE] == DONE then pq.ends:delete({ c.q, job[pq.KEEP], job[ID] }) end
  pq.drop_bytes(c, job)
  pq.jobs:delete({ c.q, job[ID] })
  let_others_come(c, job)
end

-- A leased job comes back to its place, in the returned lane; after a delay, if there is one.
function pq.give_back(c, job, attempt, delay, ops)
  leave(c, job)
  ops[#ops + 1] = { '=', pq.ATTEMPT, attempt }
  ops[#ops + 1] = { '=', pq.HOLDER, box.NULL }
  if delay == 0 then
    return enter_ready(c, job, pq.rank_of(job, true), job[POSITION], ops)
  end
  local due = c.now + tonumber(delay)
  ops[#ops + 1] = { '=', STATE, DELAYED }
  ops[#ops + 1] = { '=', RANK, due }
  job = update(c, job, ops)
  pq.count_state(c, DELAYED, 1)
  watch_end(c, job)
  c.soon = math.min(c.soon, due)
  if job[pq.GROUP] ~= nil then
    pq.enter_lane(c, job, job[POSITION])
    let_others_come(c, job)
  end
end

-- To the end of its priority, as one that was never urgent or returned.
function pq.to_the_end(c, job, attempt)
  leave(c, job)
  local ops = { { '=', pq.ATTEMPT, attempt }, { '=', pq.HOLDER, box.NULL } }
  if job[pq.FLAGS] % 2 == pq.URGENT then ops[#ops + 1] = { '-', pq.FLAGS, pq.URGENT } end
  if job[pq.REASON] ~= nil then ops[#ops + 1] = { '=', pq.REASON, box.NULL } end
  job = update(c, job, ops)
  enter_ready(c, job, pq.rank_of(job, false), pq.next_position(c), {})
end

function pq.bury(c, job, reason, ops)
  leave(c, job)
  ops[#ops + 1] = { '=', STATE, BURIED }
  ops[#ops + 1] = { '=', RANK, pq.next_order(c) }
  ops[#ops + 1] = { '=', pq.HOLDER, box.NULL }
  ops[#ops + 1] = { '=', pq.REASON, reason }
  job = update(c, job, ops)
  pq.count_state(c, BURIED, 1)
  pq.count(c, 'bury')
  let_others_come(c, job)
end

-- Its result is kept until its end; its key is free.
function pq.finish(c, job, result)
  leave(c, job)
  drop_key(c, job)
  if job[pq.EXPIRES] ~= nil then pq.ends:delete({ c.q, job[pq.EXPIRES], job[ID] }) end
  local ends = c.now + tonumber(job[pq.KEEP])
  local ops = {
    { '=', STATE, DONE }, { '=', RANK, pq.next_order(c) }, { '=', pq.HOLDER, box.NULL }, { '=', pq.KEEP, ends },
  }
  if result ~= nil then pq.replace_bytes(c, job, pq.RESULT, result, ops) end
  job = update(c, job, ops)
  pq.ends:replace({ c.q, ends, job[ID] })
  pq.count_state(c, DONE, 1)
  c.soon = math.min(c.soon, ends)
  let_others_come(c, job)
end

-- ---- what time does -----------------------------------------------------------------------------------------------

-- A lease is over: its time is, or its holder.
function pq.end_lease(c, job)
  pq.count(c, 'leaseExpired')
  if job[pq.ATTEMPT] >= job[pq.MAX] then return pq.bury(c, job, 'lease-expired', {}) end
  pq.give_back(c, job, job[pq.ATTEMPT], 0, {})
end

-- A delay is over.
function pq.fall_due(c, job)
  leave(c, job)
  local is_fresh = job[FENCE] == 0
  enter_ready(c, job, pq.rank_of(job, not is_fresh), is_fresh and pq.next_position(c) or job[POSITION], {})
end

-- A TTL or the time of a result is over, unless the job has moved on since this was noted.
function pq.come_to_end(c, at, id)
  local job = pq.jobs:get({ c.q, id })
  local state = job and job[STATE]
  if state == DONE and job[pq.KEEP] == at then return pq.drop(c, job) end
  if (state == READY or state == WAITS or state == DELAYED) and job[pq.EXPIRES] == at then
    pq.count(c, 'expired')
    return pq.drop(c, job)
  end
  pq.ends:delete({ c.q, at, id })
end
