/**
 * read: ARGV 'ids' and the ids (16 each), or a state, a limit, and the place where the page before ended: score and member, or '' and ''.
 * Answers whether there are more pages, the score and member of the last job, and for each job seven strings: id, record, features, state, moment
 * (end of the lease or due time), error, progress, result; '' where there is nothing.
 */
import { type Script, script } from "./script.ts";

const step = String.raw`
local what = ARGV[1]
catchUp()

local answer = { 0, '', '' }
local bytes, BUDGET = 0, 16 * 1024 * 1024

local function add(text)
  answer[#answer + 1] = text or ''
  bytes = bytes + #(text or '')
end

local function show(id)
  local record, text, state = call('HGET', JOBS, id), call('HGET', FEATURES, id), call('HGET', STATES, id)
  if not isSound(record, text) or state and not readState(id, state) then return end
  local marks = state and byte(state, 4) or 0
  local kind = state and sub(state, 1, 1)
  add(id)
  add(record)
  add(byte(record, 1) % 2 == 1 and text)
  add(state)
  add(kind == 'l' and call('ZSCORE', LEASED, id) or kind == 'd' and call('ZSCORE', DELAYED, sub(state, 6, 12) .. id))
  add(marks % 2 == 1 and call('HGET', EXTRAS, 'e' .. id))
  add(marks % 4 >= 2 and call('HGET', EXTRAS, 'p' .. id))
  add(marks >= 4 and call('HGET', EXTRAS, 'r' .. id))
end

if what == 'ids' then
  for at = 1, #ARGV[2], 16 do
    local id = sub(ARGV[2], at, at + 15)
    if not behind or current(id) then show(id) end
  end
  finish()
  return answer
end

finish()

-- Pages. A place is a score and a member; the probe finds where it is, also when nothing stands there any more.
local limit, score, member = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local function after(key)
  if not score then return 0 end
  local rank = call('ZRANK', key, member)
  local there = rank and tonumber(call('ZSCORE', key, member)) == score
  if there then return rank + 1 end
  local probe = member .. '\0'
  call('ZADD', key, score, probe)
  rank = call('ZRANK', key, probe)
  call('ZREM', key, probe)
  return rank
end

local function page(key, list)
  local from = after(key)
  local found = call('ZRANGE', key, from, from + limit, 'WITHSCORES')
  for i = 1, #found, 2 do list[#list + 1] = { tonumber(found[i + 1]), found[i] } end
end

-- The first run of the list that may hold jobs behind the place: the one before the first that begins behind it.
local function firstRun()
  local low, high = 0, call('LLEN', FIFO)
  if not score or score < 0 or sub(member, 1, 1) == '0' then return 0 end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if positionIsBefore(sub(member, 2, 8), call('LINDEX', FIFO, middle)) then high = middle else low = middle + 1 end
  end
  return math.max(0, low - 1)
end

local function pageOfList(list)
  if score and score > 0 then return end
  local at, found = firstRun(), 0
  while found <= limit do
    local chunk = call('LINDEX', FIFO, at)
    if not chunk then return end
    for i, id in ipairs(idsOfRun(chunk, 8)) do
      local place = '1' .. sub(chunk, 1, 6) .. char(byte(chunk, 7) + i - 1) .. id
      local behindIt = not score or score < 0 or memberIsBefore(member, place)
      if behindIt and call('SISMEMBER', GONE, id) == 0 then
        list[#list + 1] = { 0, place }
        found = found + 1
      end
    end
    at = at + 1
  end
end

local function inOrder(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return memberIsBefore(a[2], b[2])
end

local list = {}
if what == 'ready' then
  page(ORDERED, list)
  page(BLOCKED, list)
  pageOfList(list)
  table.sort(list, inOrder)
else
  page(({ delayed = DELAYED, leased = LEASED, buried = BURIED, done = DONE })[what], list)
end
local shown = 0
for i = 1, math.min(limit, #list) do
  show(sub(list[i][2], -16))
  shown = i
  if bytes > BUDGET then break end
end
if shown < #list then
  answer[1], answer[2], answer[3] = 1, string.format('%.0f', list[shown][1]), list[shown][2]
end
return answer
`;

/** Look at jobs. */
export const readJobs: Script = script({ name: "read", step, looks: true });
