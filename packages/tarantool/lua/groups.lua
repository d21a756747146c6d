-- Groups: the members come out one at a time, in the order of their positions.
--
-- The lane of a group holds its members that have a position and are ready, or wait for a retry. One member at a time has the turn: it is the head of
-- the lane and READY, or it is leased (and has left the lane). All other ready members are WAITS, so that no take comes past them.
-- When nobody has the turn, the lane is empty, or its head waits for a retry.
local pq = ...
local READY, WAITS, LEASED, DELAYED = pq.READY, pq.WAITS, pq.LEASED, pq.DELAYED
local STATE, ID, POSITION, GROUP, FENCE = pq.STATE, pq.ID, pq.POSITION, pq.GROUP, pq.FENCE

-- Does this job stand in the lane of its group? One that was put with a delay has no position before it is due.
local function is_in_lane(job)
  local state = job[STATE]
  return state == READY or state == WAITS or (state == DELAYED and job[FENCE] > 0)
end

function pq.enter_lane(c, job, position)
  pq.lanes:replace({ c.q, job[GROUP], position, job[ID] })
end

-- This member is about to go, or to be leased no more. Whoever calls this calls `give_turn` when all is done.
function pq.leave_group(c, job)
  local group = job[GROUP]
  if is_in_lane(job) then pq.lanes:delete({ c.q, group, job[POSITION] }) end
  local turn = pq.turns:get({ c.q, group })
  if turn ~= nil and turn[3] == job[ID] then pq.turns:delete({ c.q, group }) end
end

-- This member is leased now: it keeps the turn.
function pq.leave_lane(c, job)
  pq.lanes:delete({ c.q, job[GROUP], job[POSITION] })
end

-- See that the head of the lane has the turn, unless a member is leased.
function pq.give_turn(c, group)
  local head = pq.lanes.index.pk:min({ c.q, group })
  local turn = pq.turns:get({ c.q, group })
  if turn ~= nil then
    local holder = pq.jobs:get({ c.q, turn[3] })
    if holder[STATE] == LEASED or (head ~= nil and head[4] == turn[3]) then return end
    pq.jobs:update({ c.q, turn[3] }, { { '=', STATE, WAITS } })
    pq.turns:delete({ c.q, group })
  end
  if head == nil then return end
  local id = head[4]
  if pq.jobs:get({ c.q, id })[STATE] ~= WAITS then return end
  pq.jobs:update({ c.q, id }, { { '=', STATE, READY } })
  pq.turns:insert({ c.q, group, id })
  c.freed = c.freed + 1
end
