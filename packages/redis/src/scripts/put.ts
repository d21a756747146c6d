/**
 * put: ARGV request, the request that must have been answered before or '', most jobs that may be there or '', whether a part of them may
 * be stored ('1'), ids (below), records (each with its length (4) before it; or '' when they are large), more, large records.
 * More stands for those jobs that are not simply put: index from 1 (2), features with their length (2) before them,
 * kind of due time (1: 0 now, 1 in so many ms, 2 at a time, 3 urgent), due time (7).
 * Ids are: how many bytes at the beginning all of them share (1), those bytes, then the rest of each.
 * Answers 'a' when all were added, 'f' when none was for want of room, else one piece for each job: 'a', 'f', or 'd' and the id of the holder (16).
 */
import { wake } from "./finish.ts";
import { type Script, script } from "./script.ts";

/** Simple jobs, without a limit, while nothing is due: they only go to the end of the list. */
const express = String.raw`
local request, blob, small = ARGV[1], ARGV[5], ARGV[6]
local shared = byte(blob, 1)
local head, size = sub(blob, 1, 1 + shared), 16 - shared
local n = (#blob - 1 - shared) / size
local others = call('EXISTS', root .. 'gone', WAITERS)
if format and now < next and ARGV[3] == '' and ARGV[7] == '' and 2 * n <= PIECE and not recall(request)
  and (ARGV[2] == '' or recall(ARGV[2]))
  and (others == 0 or call('EXISTS', root .. 'gone') == 0) then
  local prefix, ids, isNew = sub(head, 2), {}, true
  for i = 1, n do ids[i] = prefix .. sub(blob, 2 + shared + size * (i - 1), 1 + shared + size * i) end
  for _, stored in ipairs(call('HMGET', JOBS, unpack(ids))) do
    if stored then isNew = false end
  end
  if isNew then
    local created, list, at = write('>I6', now), {}, 1
    for i = 1, n do
      local record = ARGV[7 + i]
      if not record then
        local a, b, c, d = byte(small, at, at + 3)
        local last = at + 3 + ((a * 256 + b) * 256 + c) * 256 + d
        record = sub(small, at + 4, last)
        at = last + 1
      end
      list[2 * i - 1], list[2 * i] = ids[i], record .. created
    end
    call('HSET', JOBS, unpack(list))
    local FIFO, run = root .. 'fifo', small == '' and 8 or 64
    position, index = tonumber(position or 0), tonumber(index or 255)
    local from = 0
    -- The last run is filled up, so that jobs that are put one by one take no more room than others.
    local last = call('LINDEX', FIFO, -1)
    if last and sub(last, 1, 6) == write('>I6', FIRST_POSITION + position) and sub(last, 8, 8 + shared) == head then
      local count = (#last - 8 - shared) / size
      local fit = math.min(n, run - count, 255 - index)
      if fit > 0 and byte(last, 7) + count == index + 1 then
        call('LSET', FIFO, -1, last .. sub(blob, 2 + shared, 1 + shared + size * fit))
        from, index = fit, index + fit
      end
    end
    while from < n do
      if index == 255 then position, index = position + 1, -1 end
      local to = math.min(from + run, n, from + 255 - index)
      local first = write('>I6', FIRST_POSITION + position) .. char(index + 1)
      call('RPUSH', FIFO, first .. head .. sub(blob, 2 + shared + size * from, 1 + shared + size * to))
      from, index = to, index + to - from
    end
    remember(request, 'a', 'position', position, 'index', index, 'put', counter + n)
    if others > 0 then
      ${wake}
      wake(n, math.huge)
    end
    return 'a'
  end
end
`;

const step = String.raw`
local request, after, most, partial = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local known = recall(request)
if known then
  call('HDEL', META, '')
  return repeated(request, known)
end
if after ~= '' and not recall(after) then return redis.error_reply('PQAFTER the put before this one has not come') end
-- The first write is one that needs memory, so a put is refused as a whole when there is none.
call('HSET', META, 'format', 1, 'about', ABOUT)
catchUp()

-- Read the jobs.
local ids, records, more, at = idsOfRun(ARGV[5], 1), {}, {}, 1
local n = #ids
for i = 1, n do
  records[i] = ARGV[7 + i]
  if not records[i] then records[i], at = read('>I4c0', ARGV[6], at) end
end
at = 1
while at <= #ARGV[7] do
  local i, text, kind, moment
  i, text, kind, moment, at = read('>I2I2c0BI7', ARGV[7], at)
  more[i] = { text = text, features = text ~= '' and readFeatures(text) or PLAIN, kind = kind, moment = moment }
end

-- Decide about each.
local stored = gather('HMGET', JOBS, ids)
local room = most and most - (call('HLEN', JOBS) - call('ZCARD', BURIED) - call('ZCARD', DONE)) or math.huge
local names, outcomes, added, duplicates, full = {}, {}, 0, 0, 0
local function holder(i)
  if stored[i] and current(ids[i]) then return ids[i] end
  local key = more[i] and more[i].features.key
  if not key then return nil end
  if names[key] then return names[key] end
  local id = call('HGET', NAMES, key)
  if id and current(id) then return id end
end
for i = 1, n do
  local id = (stored[i] or more[i]) and holder(i)
  if id then
    outcomes[i] = 'd' .. id
    duplicates = duplicates + 1
  elseif room <= 0 then
    outcomes[i] = 'f'
    full = full + 1
  else
    outcomes[i] = 'a'
    added, room = added + 1, room - 1
    if more[i] and more[i].features.key then names[more[i].features.key] = ids[i] end
  end
end
local refused = full > 0 and not partial
local answer = refused and 'f' or added == n and 'a' or table.concat(outcomes)

-- Store them.
if added > 0 and not refused then
  local created, pairs_ = write('>I6', now), {}
  for i = 1, n do
    if outcomes[i] == 'a' then
      pairs_[#pairs_ + 1] = ids[i]
      pairs_[#pairs_ + 1] = records[i] .. created
    end
  end
  each('HSET', JOBS, pairs_)
  local someGone = call('EXISTS', GONE) == 1
  for i = 1, n do
    local m = more[i]
    if outcomes[i] ~= 'a' then
      -- nothing of it is stored
    elseif not m and not someGone then
      append(ids[i])
    else
      local f = m and m.features or PLAIN
      local job = newState(ids[i], sub(records[i], 1, 2), f)
      if f ~= PLAIN then
        f.created = now
        call('HSET', FEATURES, ids[i], m.text .. created)
        if f.key then call('HSET', NAMES, f.key, ids[i]) end
      end
      local moment = m and (m.kind == 1 and now + m.moment or m.kind == 2 and m.moment) or 0
      if m and m.kind == 3 then
        count('urgent')
        job.lane, job.position = 'u', urgentPosition()
        toReady(job)
      elseif moment > now then
        job.position = nextPosition()
        toDelayed(job, moment)
      else
        toEndFirst(job)
      end
    end
  end
  count('put', added)
end
if not refused and duplicates > 0 then count('duplicate', duplicates) end
remember(request, answer)
finish()
return answer
`;

/** Store jobs. */
export const put: Script = script({ name: "put", express, step, needsMemory: true });
