/**
 * Where a job stands, and how it comes there and leaves.
 *
 * Groups: `lanes` holds the members that have a position. The first of them is offered (it stands in `ordered`) if it is ready and no member is
 * leased; all other ready members stand in `blocked`. `offer` restores this after any change of the lane.
 */
export const places: string = String.raw`
local fresh = 0 -- jobs that can be delivered since this script began
local soonest = math.huge -- the next moment at which something of this script falls due
local base, index = nil, 255
local run = nil -- ids on their way into the list
local RUN = 64

local function nextPosition()
  if index == 255 then
    base = write('>I6', FIRST_POSITION + call('HINCRBY', META, 'position', 1))
    call('HSET', META, 'index', 255) -- the rest of it is for this script alone
    index = -1
  end
  index = index + 1
  return base .. char(index)
end

local function urgentPosition()
  return write('>I6', FIRST_POSITION - call('HINCRBY', META, 'urgentPosition', 1)) .. '\0'
end

local function flush()
  if run then
    call('RPUSH', FIFO, run.first .. '\0' .. table.concat(run.ids))
    run = nil
  end
end

-- The ids in this text, from the byte on that says how much they share. None in what is no such text.
local function idsOfRun(text, from)
  local shared = byte(text, from)
  if not shared or shared > 15 then return {} end
  local prefix, size, ids = sub(text, from + 1, from + shared), 16 - shared, {}
  for at = from + 1 + shared, #text - size + 1, size do ids[#ids + 1] = prefix .. sub(text, at, at + size - 1) end
  return ids
end

local function append(id)
  local position = nextPosition()
  if run and run.base == base and run.last + 1 == index and #run.ids < RUN then
    run.last = index
    run.ids[#run.ids + 1] = id
  else
    flush()
    run = { base = base, first = position, last = index, ids = { id } }
  end
  fresh = fresh + 1
end

local function place(job)
  local urgent = job.lane == 'u'
  return urgent and URGENT or features(job).priority, (urgent and '0' or job.lane) .. job.position .. job.id
end

local function laneOf(group)
  return char(#group) .. group
end

-- The first member of a group's lane. One that was put aside may still stand there.
local function headOf(group)
  local lane = laneOf(group)
  while true do
    local member = call('ZRANGEBYLEX', LANES, '[' .. lane, '(' .. lane .. '\255', 'LIMIT', 0, 1)[1]
    local job = member and load(sub(member, -16))
    if job or not member then return job end
    call('ZREM', LANES, member)
  end
end

local function move(job, from, to, kind)
  local score, member = place(job)
  call('ZREM', from, member)
  call('ZADD', to, score, member)
  job.kind = kind
  save(job)
end

local function offer(group)
  local occupant = call('HGET', GROUPS, group)
  if occupant and sub(occupant, 1, 1) == 'l' then return end
  local head = headOf(group)
  if occupant and head and sub(occupant, 2) == head.id then return end
  local other = occupant and load(sub(occupant, 2))
  if other and other.kind == 'r' then move(other, ORDERED, BLOCKED, 'w') end
  if head and head.kind == 'w' then
    move(head, BLOCKED, ORDERED, 'r')
    call('HSET', GROUPS, group, 'o' .. head.id)
    fresh = fresh + 1
  elseif occupant then
    call('HDEL', GROUPS, group)
  end
end

-- Ready, at the place that its lane and position say.
local function toReady(job)
  local f = features(job)
  local score, member = place(job)
  if f.ttl then call('ZADD', ENDS, f.created + f.ttl, job.id) end
  if f.group then
    job.kind = 'w'
    save(job)
    call('ZADD', LANES, 0, laneOf(f.group) .. job.position .. job.id)
    call('ZADD', BLOCKED, score, member)
    offer(f.group)
  else
    job.kind = 'r'
    save(job)
    call('ZADD', ORDERED, score, member)
    fresh = fresh + 1
  end
end

-- Ready, at the end of its priority: a new position in the fresh lane.
local function toEnd(job)
  job.lane = '1'
  job.position = nextPosition()
  toReady(job)
end

-- The same for a job that was never delivered: into the list, if it may stand there.
local function toEndFirst(job, stored)
  if isSimple(features(job)) and call('SISMEMBER', GONE, job.id) == 0 then
    if stored then call('HDEL', STATES, job.id) end
    append(job.id)
  else
    toEnd(job)
  end
end

-- Delayed. A job that was delivered before keeps its place in the lane of its group, and holds back those behind it.
local function toDelayed(job, due)
  local f = features(job)
  job.kind = 'd'
  save(job)
  call('ZADD', DELAYED, due, job.position .. job.id)
  if f.ttl then call('ZADD', ENDS, f.created + f.ttl, job.id) end
  if f.group then
    if job.lane ~= '1' then call('ZADD', LANES, 0, laneOf(f.group) .. job.position .. job.id) end
    offer(f.group)
  end
  soonest = math.min(soonest, due)
end

local function toReturned(job, due)
  if job.lane ~= 'u' then job.lane = '0' end
  if due then toDelayed(job, due) else toReady(job) end
end

local function toBuried(job, reason)
  job.kind, job.reason = 'b', reason
  save(job)
  call('ZADD', BURIED, call('HINCRBY', META, 'change', 1), job.id)
  count('bury')
  local group = features(job).group
  if group then offer(group) end
end

-- So many leases of each of these takes are over.
local function forget(fences)
  for fence, n in pairs(fences) do
    if call('HINCRBY', TAKES, 'n' .. fence, -n) <= 0 then call('HDEL', TAKES, 'n' .. fence, 'i' .. fence) end
  end
end

local function unlease(job)
  call('ZREM', LEASED, job.id)
  forget({ [job.fence] = 1 })
  local group = features(job).group
  if group then call('HDEL', GROUPS, group) end
end

-- Out of every place that it stands in. Who calls this then saves the job elsewhere, or drops it.
local function withdraw(job)
  local kind = job.kind
  if kind == 'f' then
    call('SADD', GONE, job.id)
  elseif kind == 'l' then
    unlease(job)
  elseif kind == 'b' then
    call('ZREM', BURIED, job.id)
  elseif kind == 'e' then
    call('ZREM', DONE, job.id)
  else
    local _, member = place(job)
    if kind == 'd' then call('ZREM', DELAYED, job.position .. job.id) end
    if kind == 'r' then call('ZREM', ORDERED, member) end
    if kind == 'w' then call('ZREM', BLOCKED, member) end
    local group = features(job).group
    if group then call('ZREM', LANES, laneOf(group) .. job.position .. job.id) end
  end
end

-- Remove the job and all that belongs to it.
local function drop(job)
  local f = features(job)
  withdraw(job)
  call('HDEL', JOBS, job.id)
  if job.kind ~= 'f' then call('HDEL', STATES, job.id) end
  if f ~= PLAIN then call('HDEL', FEATURES, job.id) end
  if job.marks > 0 then call('HDEL', EXTRAS, 'e' .. job.id, 'p' .. job.id, 'r' .. job.id) end
  if f.ttl or job.kind == 'e' then call('ZREM', ENDS, job.id) end
  if f.key and job.kind ~= 'e' then call('HDEL', NAMES, f.key) end
  if f.group then offer(f.group) end
end

-- A job that cannot be read: out of everything that is known of it, and where an operator finds it. What else mentions it is
-- passed over and removed by whoever comes across it.
local damaged = {}
putAside = function(id)
  damaged[#damaged + 1] = id
  call('HSET', DAMAGED, id, call('HGET', JOBS, id) or '')
  local f = readFeatures(call('HGET', FEATURES, id) or '') or PLAIN
  if f.key and call('HGET', NAMES, f.key) == id then call('HDEL', NAMES, f.key) end
  call('HDEL', JOBS, id)
  call('HDEL', STATES, id)
  call('HDEL', FEATURES, id)
  call('HDEL', EXTRAS, 'e' .. id, 'p' .. id, 'r' .. id)
  for _, key in ipairs({ LEASED, ENDS, BURIED, DONE }) do call('ZREM', key, id) end
  local occupants = call('HGETALL', GROUPS)
  for i = 1, #occupants, 2 do
    if sub(occupants[i + 1], 2) == id then
      call('HDEL', GROUPS, occupants[i])
      offer(occupants[i])
    end
  end
end
`;
