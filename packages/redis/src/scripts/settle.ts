/**
 * settle: ARGV request, items, then the texts of those items that bring one, in their order.
 * Items are: type (1), id (16), fence (6), delay (7). Types: `a` ack, `A` ack with a result (text), `r` release, `q` requeue, `f` fail (text),
 * `b` bury, `B` bury with an error (text).
 * Answers one letter for each: `g` gone, `r` ready, `d` delayed, `b` buried, `e` done, `-` lost. Of an answer of `g` alone only `G` is kept.
 *
 * Acks of jobs without features are gathered, and done with four calls for all of them.
 */
import { type Script, script } from "./script.ts";

/** Acks of jobs without features, marks and results, while nothing is due. */
const express = String.raw`
local ALL_GONE = 'G' -- what is kept of the answer when it is the same for all
local request, items = ARGV[1], ARGV[2]
local n = #items / 30
if now < next and #ARGV == 2 and n <= PIECE and not recall(request) then
  local STATES, LEASED, TAKES = root .. 'states', root .. 'leased', root .. 'takes'
  local ids, fences = {}, {}
  for i = 1, n do ids[i] = sub(items, 30 * i - 28, 30 * i - 13) end
  local states, ends = call('HMGET', STATES, unpack(ids)), call('ZMSCORE', LEASED, unpack(ids))
  local areSimple = true
  for i = 1, n do
    local state, fence = states[i], sub(items, 30 * i - 12, 30 * i - 7)
    areSimple = areSimple and byte(items, 30 * i - 29) == 97 and state and ends[i] and tonumber(ends[i]) > now
      and sub(state, 17, 22) == fence and byte(state, 2) % 2 == 0 and byte(state, 4) == 0
    if not areSimple then break end
    fences[fence] = (fences[fence] or 0) + 1
  end
  if areSimple then
    call('ZREM', LEASED, unpack(ids))
    call('HDEL', STATES, unpack(ids))
    call('HDEL', JOBS, unpack(ids))
    for fence, over in pairs(fences) do
      if call('HINCRBY', TAKES, 'n' .. fence, -over) <= 0 then call('HDEL', TAKES, 'n' .. fence, 'i' .. fence) end
    end
    remember(request, ALL_GONE, 'ack', counter + n)
    return string.rep('g', n)
  end
end
`;

const step = String.raw`
local request, items = ARGV[1], ARGV[2]
local known = recall(request)
if known then
  repeated(request, known)
  return known == ALL_GONE and string.rep('g', #items / 30) or known
end
catchUp()

local SIZE, n = 30, #items / 30
local ids = {}
for i = 1, n do ids[i] = sub(items, (i - 1) * SIZE + 2, (i - 1) * SIZE + 17) end
local states = gather('HMGET', STATES, ids)
local ends = gather('ZMSCORE', LEASED, ids)
local text = 2 -- the last text that was used

local acked, acks, fences = {}, 0, {}

local function ack(job, result)
  local f = features(job)
  count('ack')
  if not f.keep then
    drop(job)
    return 'g'
  end
  unlease(job)
  if f.key then call('HDEL', NAMES, f.key) end
  if result then keep(job, 4, 'r', result) end
  job.kind = 'e'
  save(job)
  call('ZADD', DONE, call('HINCRBY', META, 'change', 1), job.id)
  call('ZADD', ENDS, now + f.keep, job.id)
  if f.group then offer(f.group) end
  return 'e'
end

local function giveBack(job, delay)
  toReturned(job, delay > 0 and now + delay or nil)
  return delay > 0 and 'd' or 'r'
end

local function settle(kind, job, delay, bytes)
  if kind == 'a' or kind == 'A' then return ack(job, bytes) end
  unlease(job)
  if kind == 'r' then
    count('release')
    job.attempt = job.attempt - 1
    return giveBack(job, delay)
  elseif kind == 'q' then
    count('requeue')
    job.attempt = job.attempt - 1
    toEnd(job)
    return 'r'
  end
  if bytes then keep(job, 1, 'e', bytes) end
  if kind == 'f' then
    count('fail')
    if job.attempt < maxAttempts(job) then return giveBack(job, delay) end
    toBuried(job, 'f')
  else
    toBuried(job, 'b')
  end
  return 'b'
end

local outcomes = {}
for i = 1, n do
  local at, state = (i - 1) * SIZE, states[i]
  local kind, fence = sub(items, at + 1, at + 1), sub(items, at + 18, at + 23)
  local bytes = nil
  if kind == 'A' or kind == 'f' or kind == 'B' then
    text = text + 1
    bytes = ARGV[text]
  end
  if not state or not ends[i] or sub(state, 17, 22) ~= fence or tonumber(ends[i]) <= now then
    outcomes[i] = '-'
  elseif kind == 'a' and byte(state, 2) % 2 == 0 and byte(state, 4) == 0 then
    acks = acks + 1
    acked[acks] = ids[i]
    fences[fence] = (fences[fence] or 0) + 1
    outcomes[i] = 'g'
  else
    outcomes[i] = settle(kind, readState(ids[i], state), read('>I7', items, at + 24), bytes)
  end
end
if acks > 0 then
  each('ZREM', LEASED, acked)
  each('HDEL', STATES, acked)
  each('HDEL', JOBS, acked)
  forget(fences)
  count('ack', acks)
end
local answer = table.concat(outcomes)
remember(request, answer)
finish()
return answer
`;

/** Settle leased jobs. */
export const settle: Script = script({ name: "settle", counter: "ack", express, step });
