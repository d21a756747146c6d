-- Settle and touch: each item by its own proof, the id and the fence. `ids` has 16 bytes for each. Answers a letter for each.
local pq = ...
local ID, STATE, FENCE, RANK, ATTEMPT = pq.ID, pq.STATE, pq.FENCE, pq.RANK, pq.ATTEMPT

local LOST, GONE, TOUCHED = 'l', 'g', 't'

-- The job whose newest lease this is, unless that is over.
local function leased(c, id, fence)
  local job = pq.jobs:get({ c.q, id })
  if job ~= nil and job[STATE] == pq.LEASED and job[FENCE] == fence and job[RANK] > c.now then return job end
end

-- The last error is another one now.
local function with_error(c, job, message)
  local ops = {}
  if message ~= nil then pq.replace_bytes(c, job, pq.ERROR, message, ops) end
  return ops
end

-- The ways to settle. Each gives the state after it, as a number, or GONE.
local ways = {}

function ways.ack(c, job, result)
  if job[pq.KEEP] == nil then
    pq.drop(c, job)
    return GONE
  end
  pq.finish(c, job, result)
  return pq.DONE
end

function ways.release(c, job, delay)
  pq.give_back(c, job, job[ATTEMPT] - 1, delay, {})
  return delay > 0 and pq.DELAYED or pq.READY
end

function ways.requeue(c, job)
  pq.to_the_end(c, job, job[ATTEMPT] - 1)
  return pq.READY
end

function ways.fail(c, job, delay, message)
  local ops = with_error(c, job, message)
  if job[ATTEMPT] >= job[pq.MAX] then
    pq.bury(c, job, 'failed', ops)
    return pq.BURIED
  end
  pq.give_back(c, job, job[ATTEMPT], delay, ops)
  return delay > 0 and pq.DELAYED or pq.READY
end

function ways.bury(c, job, message)
  pq.bury(c, job, 'buried', with_error(c, job, message))
  return pq.BURIED
end

local function settle_one(c, job, way)
  if way == nil then way = { 'ack' } end
  -- A bury counts itself.
  if way[1] ~= 'bury' then pq.count(c, way[1]) end
  return ways[way[1]](c, job, way[2], way[3])
end

-- Do this to each item, once for each request. `new_quick` makes what does it in a shorter way, to those that it can be done to.
local function each(name, request, ids, fences, act, new_quick)
  local c = pq.find_queue(name)
  if c == nil then return nil, LOST:rep(#fences) end
  local known = pq.known(c, request)
  if known ~= nil then return c, known end
  pq.catch_up(c)
  local outcomes, quick = {}, new_quick ~= nil and new_quick(c)
  for index, fence in ipairs(fences) do
    if quick and quick(index, fence) then
      outcomes[index] = GONE
    else
      local job = leased(c, ids:sub(16 * index - 15, 16 * index), fence)
      outcomes[index] = job == nil and LOST or act(c, job, index)
    end
  end
  local answer = table.concat(outcomes)
  pq.remember(c, request, answer)
  return c, answer
end

-- `others`: how to settle those that are not simply acked, { number, way, … }.
function pq.methods.settle(name, request, ids, fences, others)
  local by_number = {}
  for _, other in ipairs(others) do by_number[other[1]] = { other[2], other[3], other[4] } end
  local function act(c, job, index) return settle_one(c, job, by_number[index]) end
  local function new_quick(c)
    local ack = pq.new_acker(c.q, c.now, ids)
    return function(index, fence)
      if by_number[index] ~= nil or not ack(index, fence) then return false end
      pq.count(c, 'ack')
      pq.count_state(c, pq.LEASED, -1)
      return true
    end
  end
  return each(name, request, ids, fences, act, new_quick)
end

-- `progress`: { number, bytes } where there is any.
function pq.methods.touch(name, request, ids, fences, leases, progress)
  local by_number = {}
  for _, item in ipairs(progress) do by_number[item[1]] = item[2] end
  return each(name, request, ids, fences, function(c, job, index)
    local ops = { { '=', RANK, math.max(tonumber(job[RANK]), c.now + tonumber(leases[index])) } }
    local bytes = by_number[index]
    if bytes ~= nil then pq.replace_bytes(c, job, pq.PROGRESS, bytes, ops) end
    pq.update_job(c, job, ops)
    pq.count(c, 'touch')
    return TOUCHED
  end)
end
