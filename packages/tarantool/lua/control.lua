-- What operators do.
local pq = ...

local DONE, NOT_FOUND, INVALID_STATE = 'd', 'n', 'i'
-- Jobs that one step of a kick makes ready.
local STEP = 1000

-- Do this to each id, once for each request. Answers a letter for each.
local function each(name, request, ids, act)
  local count = #ids / 16
  local c = pq.find_queue(name)
  if c == nil then return nil, NOT_FOUND:rep(count) end
  local known = pq.known(c, request)
  if known ~= nil then return c, known end
  pq.catch_up(c)
  local outcomes = {}
  for index = 1, count do
    local job = pq.look(c, ids:sub(16 * index - 15, 16 * index))
    outcomes[index] = job == nil and NOT_FOUND or act(c, job)
  end
  local answer = table.concat(outcomes)
  pq.remember(c, request, answer)
  return c, answer
end

function pq.methods.dig(name, request, ids)
  return each(name, request, ids, function(c, job)
    if job[pq.STATE] ~= pq.BURIED then return INVALID_STATE end
    pq.to_the_end(c, job, 0)
    pq.count(c, 'dig')
    return DONE
  end)
end

function pq.methods.delete(name, request, ids)
  return each(name, request, ids, function(c, job)
    pq.drop(c, job)
    pq.count(c, 'delete')
    return DONE
  end)
end

-- One step. Answers how many were kicked by this request so far, and whether there may be more.
function pq.methods.kick(name, request, limit)
  limit = tonumber(limit)
  local c = pq.find_queue(name)
  if c == nil then return nil, 0, false end
  local known = pq.known(c, request) or { 0, true }
  local count, more = known[1], known[2]
  if not more then return c, count, false end
  pq.catch_up(c)
  local buried = pq.jobs.index.order:select({ c.q, pq.BURIED }, { limit = math.min(STEP, limit - count) })
  for _, job in ipairs(buried) do pq.to_the_end(c, job, 0) end
  pq.count(c, 'kick', #buried)
  count = count + #buried
  more = #buried == STEP and count < limit
  pq.remember(c, request, { count, more })
  return c, count, more
end

-- The queue goes on with a new generation; what the old one had is swept away later.
function pq.methods.truncate(name, request)
  local c = pq.find_queue(name)
  if c == nil then return nil, 0 end
  local known = pq.known(c, request)
  if known ~= nil then return c, known end
  pq.catch_up(c)
  local count = 0
  for state = pq.READY, pq.DONE do
    local jobs = c.row[pq.COUNTS + state]
    count = count + jobs
    pq.count_state(c, state, -jobs)
  end
  pq.count(c, 'delete', count)
  pq.garbage:insert({ c.q })
  pq.new_generation(c)
  pq.remember(c, request, count)
  pq.sweep_soon()
  return c, count
end

-- Give nothing out, or again.
function pq.methods.pause(name, request, paused)
  local c = pq.find_or_make_queue(name)
  if pq.known(c, request) ~= nil then return c end
  pq.catch_up(c)
  pq.set_paused(c, paused)
  if not paused then c.freed = c.row[pq.COUNTS + pq.READY] end
  pq.remember(c, request, true)
  return c
end
