-- Put: all jobs or none.
--
-- A job comes as it is stored, with these fields to be filled in: Q, STATE, RANK, POSITION, CREATED. RANK is its delay in ms, and STATE says
-- what that is: READY none, DELAYED a time from now, DONE a time since 1970. EXPIRES is its TTL.
local pq = ...
local ID, STATE, RANK, POSITION, KEY, GROUP = pq.ID, pq.STATE, pq.RANK, pq.POSITION, pq.KEY, pq.GROUP

local ADDED, FULL, DUPLICATE = 'a', 'f', 'd'

-- Decide about each job: a letter, and after that of a duplicate the id of who is there. `nil`: all are added.
local function decide(c, jobs, room, partial)
  local outcomes, is_plain, refused, new_keys = {}, true, false, {}
  local key = { c.q, 0 }
  for index, job in ipairs(jobs) do
    key[2] = job[ID]
    local holder = pq.jobs:get(key) and job[ID]
    if holder == nil and job[KEY] ~= nil then
      local held = pq.keys:get({ c.q, job[KEY] })
      holder = held and held[3] or new_keys[job[KEY]]
    end
    if holder ~= nil then
      outcomes[index] = DUPLICATE .. holder
      is_plain = false
    elseif room <= 0 then
      outcomes[index] = FULL
      is_plain, refused = false, true
    else
      outcomes[index] = ADDED
      room = room - 1
      if job[KEY] ~= nil then new_keys[job[KEY]] = job[ID] end
    end
  end
  if is_plain then return nil end
  if refused and not partial then
    for index = 1, #jobs do outcomes[index] = FULL end
  end
  return outcomes
end

-- When it is due; nil: now.
local function due_of(c, job)
  if job[STATE] == pq.READY then return nil end
  local time = tonumber(job[RANK])
  local due = job[STATE] == pq.DELAYED and c.now + time or time
  if due > c.now then return due end
end

-- What a row needs beside itself.
local function add_rest(c, job)
  if job[KEY] ~= nil then pq.keys:insert({ c.q, job[KEY], job[ID] }) end
  if job[pq.EXPIRES] ~= nil then
    job[pq.EXPIRES] = c.now + tonumber(job[pq.EXPIRES])
    pq.ends:insert({ c.q, job[pq.EXPIRES], job[ID] })
    c.soon = math.min(c.soon, job[pq.EXPIRES])
  end
end

local function add(c, job)
  local due = due_of(c, job)
  job[1] = c.q
  job[pq.CREATED] = c.now
  pq.store_payload(c, job)
  if #job > pq.PAYLOAD then add_rest(c, job) end
  if due ~= nil then
    job[STATE], job[RANK], job[POSITION] = pq.DELAYED, due, pq.next_position(c)
    pq.jobs:insert(job)
    pq.count_state(c, pq.DELAYED, 1)
    c.soon = math.min(c.soon, due)
    return
  end
  local is_urgent = job[pq.FLAGS] % 2 == pq.URGENT
  local position = is_urgent and pq.next_urgent(c) or pq.next_position(c)
  local group = job[GROUP]
  job[STATE], job[POSITION] = group == nil and pq.READY or pq.WAITS, position
  job[RANK] = pq.rank_of(job, false)
  pq.jobs:insert(job)
  pq.count_state(c, pq.READY, 1)
  if is_urgent then pq.count(c, 'urgent') end
  if group == nil then
    c.freed = c.freed + 1
  else
    pq.enter_lane(c, job, position)
    pq.give_turn(c, group)
  end
end

-- `after`: a request that must have been answered. Answers false when it was not; else a text, empty when all were added.
function pq.methods.put(name, request, after, max_size, partial, jobs)
  local c = pq.find_or_make_queue(name)
  local known = pq.known(c, request)
  if known ~= nil then return c, known end
  if after ~= nil and not pq.is_known(c, after) then return nil, false end
  pq.catch_up(c)
  local room = max_size == nil and math.huge or tonumber(max_size) - pq.size(c)
  local outcomes = decide(c, jobs, room, partial)
  local added, duplicates = 0, 0
  for index, job in ipairs(jobs) do
    local outcome = outcomes and outcomes[index] or ADDED
    if outcome == ADDED then
      add(c, job)
      added = added + 1
    elseif outcome ~= FULL then
      duplicates = duplicates + 1
    end
  end
  pq.count(c, 'put', added)
  pq.count(c, 'duplicate', duplicates)
  local answer = outcomes and table.concat(outcomes) or ''
  pq.remember(c, request, answer)
  return c, answer
end
