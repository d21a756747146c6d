/**
 * take: ARGV request, limit, lease in ms.
 * Answers false for nothing, else: fence (6), ids (16 each), details, damaged ids (16 each), then the records, then texts.
 * Details stand for jobs that are not on their first attempt or have features: index (2), attempt (4), bits (1: 1 features, 2 error,
 * 4 progress); the features, errors and progress themselves are the texts, in this order.
 *
 * Order: `ordered` and `fifo` are merged by place. Records are fetched in pieces, so that large payloads end the take early. A job that cannot be
 * read is put aside.
 */
import { wake } from "./finish.ts";
import { type Script, script } from "./script.ts";

/** Jobs of the list without features, while nothing else can be delivered and nothing is due. */
const express = String.raw`
local request, limit, lease = ARGV[1], math.min(tonumber(ARGV[2]), 1000), tonumber(ARGV[3])
local FIFO, STATES = root .. 'fifo', root .. 'states'
if now < next and not paused and call('EXISTS', root .. 'ordered', root .. 'gone') == 0 and not recall(request) then
  local number, ids, runs, piece = tonumber(fence or 0) + 1, {}, 0, 2
  local fence = write('>I6', number)
  local tail, moment = '\0\0\0\1' .. fence .. '-', now + lease
  local states, ends, answer = { '', ABOUT }, {}, { fence, '', '', '' }
  local areSimple, bytes, rest = true, 0, nil
  while areSimple and #ids < limit do
    local found = call('LRANGE', FIFO, runs, runs + piece - 1)
    for _, run in ipairs(found) do
      local before, index, shared = #ids, byte(run, 7, 8)
      areSimple = shared and shared < 16 and #run > 8 + shared and (#run - 8 - shared) % (16 - shared) == 0
      if not areSimple then break end
      local position, prefix, size, from = sub(run, 1, 6), sub(run, 9, 8 + shared), 16 - shared, 9 + shared
      local count = math.min(limit - before, (#run + 1 - from) / size)
      for i = 1, count do ids[before + i] = prefix .. sub(run, from + size * (i - 1), from - 1 + size * i) end
      -- Large payloads are for the step, which counts bytes.
      areSimple = call('HSTRLEN', JOBS, ids[before + 1]) * count <= 1048576
      local records = areSimple and call('HMGET', JOBS, unpack(ids, before + 1)) or {}
      for i, record in ipairs(records) do
        local n = before + i
        bytes = bytes + #(record or '')
        if not record or #record < 8 or byte(record, 1) > 0 or bytes > 4194304 then
          areSimple = false
          break
        end
        states[2 * n + 1] = ids[n]
        states[2 * n + 2] = 'l' .. sub(record, 1, 2) .. '\0001' .. position .. char(index + i - 1) .. tail
        ends[2 * n - 1], ends[2 * n] = moment, ids[n]
        answer[4 + n] = record
      end
      runs = runs + 1
      local used = from - 1 + size * count
      if used < #run then rest = position .. char(index + count, shared) .. prefix .. sub(run, used + 1) end
      if not areSimple or #ids >= limit then break end
    end
    if #found < piece then break end
    piece = math.max(2, math.ceil((limit - #ids) * runs / #ids))
  end
  if areSimple and #ids == 0 then return false end
  if areSimple then
    call('LPOP', FIFO, runs)
    if rest then call('LPUSH', FIFO, rest) end
    answer[2] = table.concat(ids)
    call('HSET', STATES, unpack(states))
    call('ZADD', root .. 'leased', unpack(ends))
    call('HSET', root .. 'takes', 'n' .. fence, #ids, 'i' .. fence, answer[2])
    remember(request, fence, 'fence', number, 'next', math.min(next, moment), 'take', counter + #ids)
    if call('EXISTS', WAITERS) == 1 then
      ${wake}
      wake(0, moment)
    end
    return answer
  end
end
`;

const step = String.raw`
local request, limit, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local BUDGET, MOST = 4 * 1024 * 1024, 1000 -- bytes of records and jobs in one answer
limit = math.min(limit, MOST)
catchUp()

-- What is chosen: ids, and beside them their records, states (of those of the list: those that they get), features if they have any.
local ids, records, states, texts = {}, {}, {}, {}

-- Those that this take still has leased.
local function stillLeased(fence)
  local blob = call('HGET', TAKES, 'i' .. fence) or ''
  for at = 1, #blob, 16 do
    local id = sub(blob, at, at + 15)
    local text, record = call('HGET', STATES, id), call('HGET', JOBS, id)
    local ends = text and sub(text, 1, 1) == 'l' and sub(text, 17, 22) == fence and call('ZSCORE', LEASED, id)
    local featuresText = call('HGET', FEATURES, id)
    if ends and tonumber(ends) > now and isSound(record, featuresText) then
      local n = #ids + 1
      ids[n], states[n], records[n], texts[n] = id, text, record, featuresText
    end
  end
end

local function reply(fence)
  local details, more = {}, {}
  for i, id in ipairs(ids) do
    local marks, attempt = byte(states[i], 4) % 4, sub(states[i], 13, 16)
    local bits = (texts[i] and 1 or 0) + 2 * marks
    if bits > 0 or attempt ~= '\0\0\0\1' then
      details[#details + 1] = write('>I2', i - 1) .. attempt .. char(bits)
      if texts[i] then more[#more + 1] = texts[i] end
      if marks % 2 == 1 then more[#more + 1] = call('HGET', EXTRAS, 'e' .. id) or '' end
      if marks >= 2 then more[#more + 1] = call('HGET', EXTRAS, 'p' .. id) or '' end
    end
  end
  local answer = { fence, table.concat(ids), table.concat(details), table.concat(damaged) }
  for _, record in ipairs(records) do answer[#answer + 1] = record end
  for _, text in ipairs(more) do answer[#answer + 1] = text end
  return answer
end

local known = recall(request)
if known then
  stillLeased(known)
  if #ids > 0 then
    repeated(request, known)
    finish()
    return reply(known)
  end
end
if paused then
  finish()
  return false
end

-- Choose. Nothing is changed before all of it was read.
local members, positions = {}, {} -- beside the ids: a member of ordered, or false and the position in the list
local queue, q = call('ZRANGE', ORDERED, 0, limit - 1, 'WITHSCORES'), 1
local someGone = call('EXISTS', GONE) == 1
local runs, run, runIds, runAt = 0, nil, {}, 1 -- whole runs behind us, and where we are in the next
local passed, broken, MOST_PASSED = {}, {}, 5000

local function goOn()
  runAt = runAt + 1
  if runAt > #runIds then runs, run = runs + 1, nil end
end

-- The next job of the list; nil when it is empty, false when too many had to be passed over to tell.
local function nextOfList()
  while #passed < MOST_PASSED do
    if not run then
      run = call('LINDEX', FIFO, runs)
      if not run then return nil end
      runIds, runAt = idsOfRun(run, 8), 1
    end
    local id = runIds[runAt]
    if not id then
      runs, run = runs + 1, nil
    elseif not someGone or call('SISMEMBER', GONE, id) == 0 then
      return id
    else
      passed[#passed + 1] = id
      goOn()
    end
  end
  return false
end

local function positionInRun()
  return sub(run, 1, 6) .. char((byte(run, 7) + runAt - 1) % 256)
end

local function choose(most)
  for _ = 1, most do
    local member, score = queue[q], tonumber(queue[q + 1])
    local isFirst = member and (score < 0 or score == 0 and byte(member, 1) == 48)
    local id = not isFirst and nextOfList()
    local position = id and positionInRun()
    if id and not (member and score == 0 and positionIsBefore(sub(member, 2, 8), position)) then
      ids[#ids + 1], members[#ids + 1], positions[#ids + 1] = id, false, position
      goOn()
    elseif member and (isFirst or id ~= false) then
      ids[#ids + 1], members[#ids + 1] = sub(member, -16), member
      q = q + 2
    else
      return
    end
  end
end

local function stateOf(id, record, member, position)
  if not member then return 'l' .. sub(record, 1, 2) .. '\0001' .. position end
  local job = readState(id, call('HGET', STATES, id) or '')
  if not job or job.kind ~= 'r' then return nil end
  return 'l' .. job.head .. char(job.marks) .. job.lane .. job.position .. write('>I4', job.attempt + 1)
end

local bytes, portion = 0, 4
local lists = {} -- beside the ids: their features, read
while #ids < limit and bytes < BUDGET do
  local before = #ids
  choose(math.min(portion, limit - before))
  local last, kept = #ids, before
  if last == before then break end
  local found = gather('HMGET', JOBS, { unpack(ids, before + 1, last) })
  for i = before + 1, last do
    local id, record, member, position = ids[i], found[i - before], members[i], positions[i]
    local text = record and #record > 0 and byte(record, 1) % 2 == 1 and call('HGET', FEATURES, id) or false
    local state = isSound(record, text) and stateOf(id, record, member, position)
    ids[i], members[i], positions[i] = nil, nil, nil
    if state then
      kept = kept + 1
      ids[kept], records[kept], members[kept], positions[kept] = id, record, member, position
      states[kept], texts[kept], lists[kept] = state, text, text and readFeatures(text) or PLAIN
      bytes = bytes + #record
    else
      broken[#broken + 1] = { id = id, member = member, isThere = not member or record or call('HEXISTS', STATES, id) == 1 }
    end
  end
  if kept > 0 then portion = math.max(1, math.floor((BUDGET - bytes) * kept / math.max(bytes, 1))) end
end

-- Take them out of where they stand.
local rest = run and positionInRun() .. '\0' .. table.concat(runIds, '', runAt)
if rest then runs = runs + 1 end
if runs > 0 then call('LPOP', FIFO, runs) end
if rest then call('LPUSH', FIFO, rest) end
each('SREM', GONE, passed)
for _, one in ipairs(broken) do
  if one.member then call('ZREM', ORDERED, one.member) end
  if one.isThere then putAside(one.id) end
end

-- Lease them.
local fence = write('>I6', call('HINCRBY', META, 'fence', 1))
local saved, ends, n = { '', ABOUT }, {}, 0
for i, id in ipairs(ids) do
  local f, member = lists[i], members[i]
  if member then call('ZREM', ORDERED, member) end
  if f.ttl and f.created + f.ttl <= now then
    count('expired')
    drop(load(id))
  else
    n = n + 1
    if member and f.group then
      call('ZREM', LANES, laneOf(f.group) .. sub(member, 2))
      call('HSET', GROUPS, f.group, 'l' .. id)
    end
    if f.ttl then call('ZREM', ENDS, id) end
    local moment = now + (f.lease or lease)
    soonest = math.min(soonest, moment)
    local state = states[i] .. (member and '' or '\0\0\0\1') .. fence .. '-'
    ids[n], records[n], states[n], texts[n] = id, records[i], state, texts[i]
    saved[2 * n + 1], saved[2 * n + 2] = id, state
    ends[2 * n - 1], ends[2 * n] = moment, id
  end
end
for i = #ids, n + 1, -1 do ids[i], records[i] = nil, nil end
if n > 0 then
  each('HSET', STATES, saved)
  each('ZADD', LEASED, ends)
  call('HSET', TAKES, 'n' .. fence, n, 'i' .. fence, table.concat(ids))
  remember(request, fence)
  count('take', n)
end
fresh = math.max(0, fresh - n)
finish()
if n == 0 and #damaged == 0 then return false end
return reply(fence)
`;

/** Lease jobs. */
export const take: Script = script({ name: "take", express, step });
