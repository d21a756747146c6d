/**
 * The stored layout, and what every script begins with: names, the clock, settings.
 *
 * | key        | type   | holds                                                                                           |
 * |------------|--------|-------------------------------------------------------------------------------------------------|
 * | `meta`     | hash   | `format`, `paused`, the last `position` (and in it `index`), `urgentPosition`, `fence` and `change` given out, `next` and `alarm` (below), `calls` and `since` of the answers, and the counters |
 * | `jobs`     | hash   | id -> record: a byte of bits (1 has features, 2 has headers), maxAttempts (0: see features), headers if any, payload, time of the put |
 * | `features` | hash   | id -> maxAttempts, priority, ttl, lease, keepResult, key, group, time of the put; only for jobs that have any of them |
 * | `states`   | hash   | id -> where the job stands (below). A job without one was never delivered and stands in `fifo`     |
 * | `extras`   | hash   | `e`, `p` or `r` and an id -> last error, progress, result                                        |
 * | `fifo`     | list   | the fresh lane of priority 0, for jobs without group and ttl: runs of up to 64 ids: the position of the first (7), how many bytes they share (1), those bytes, the rest of each |
 * | `gone`     | set    | ids that were removed and still stand in `fifo`                                                  |
 * | `ordered`  | zset   | all other jobs that can be delivered: score is the priority (urgent: below all), member is lane, position, id |
 * | `blocked`  | zset   | the same for ready jobs that their group holds back                                             |
 * | `lanes`    | zset   | the members of groups that have a position: score 0, member is the group's length and name, position, id |
 * | `groups`   | hash   | group -> `l` and the id of its leased member, or `o` and the id of the member that stands in `ordered` |
 * | `delayed`  | zset   | score is the due time, member is position, id                                                   |
 * | `leased`   | zset   | score is the end of the lease, member is the id                                                 |
 * | `takes`    | hash   | `i` and a fence -> the ids that this take leased; `n` and a fence -> how many it still holds         |
 * | `ends`     | zset   | id -> when its TTL ends it (not while it is leased or buried), or when its kept result ends         |
 * | `buried`, `done` | zset | score counts up with each arrival, member is the id                                            |
 * | `names`    | hash   | key -> id of the job that holds it                                                              |
 * | `damaged`  | hash   | id -> record that could not be read, put aside                                                  |
 * | `answers`, `older` | hash | request id -> answer, in two generations                                                    |
 * | `wake`     | list   | tokens for blocked processes: `j` a job is ready, `a` look at the time again                        |
 * | `waiters`  | zset   | process -> until when it waits                                                                  |
 *
 * A state: kind, the first two bytes of the record, marks (1 error, 2 progress, 4 result), lane, position (7), attempt (4), fence (6),
 * reason of the burial. Kinds: `r` ready and in `ordered`, `w` ready and in `blocked`, `d` delayed, `l` leased, `b` buried, `e` done.
 * Lanes: `u` urgent, `0` returned, `1` fresh. Bytes are compared, so numbers are stored with their highest byte first.
 * `next` is no later than the first moment at which anything falls due: before it, no script need look.
 * A position is a number of 6 bytes drawn for up to 256 jobs and the job's index among them; urgent ones count down from the middle.
 */
export const prelude: string = String.raw`
local call, sub, byte, char, read, write = redis.call, string.sub, string.byte, string.char, struct.unpack, struct.pack
local META = KEYS[1]
local root = sub(META, 1, -5)
local JOBS, ANSWERS, OLDER, WAITERS = root .. 'jobs', root .. 'answers', root .. 'older', root .. 'waiters'

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local format, paused, next, calls, since, position, index, fence, alarm, counter = unpack(
  call('HMGET', META, 'format', 'paused', 'next', 'calls', 'since', 'position', 'index', 'fence', 'alarm', COUNTER))
if format and tonumber(format) > 1 then return redis.error_reply('PQFORMAT ' .. format) end
paused = paused == '1'
next, alarm, counter = tonumber(next or 0), tonumber(alarm or -1), tonumber(counter or 0)
local FIRST_POSITION = 140737488355328 -- the middle of 6 bytes
-- Redis keeps small hashes as plain lists, which are slow to search. A value of more than 64 bytes makes a hash a real one.
local ABOUT = 'A queue of @pq/redis, see the heads of its scripts for what is stored here and how it is used.'
-- Lua can hand over some 8,000 values to a call. The number is even, so pairs stay together.
local PIECE = 6000
`;

/** The other names, and calls with long lists. */
export const names: string = String.raw`
local FEATURES, STATES, EXTRAS, FIFO, GONE = root .. 'features', root .. 'states', root .. 'extras', root .. 'fifo', root .. 'gone'
local ORDERED, BLOCKED, LANES, GROUPS = root .. 'ordered', root .. 'blocked', root .. 'lanes', root .. 'groups'
local DELAYED, LEASED, TAKES, ENDS = root .. 'delayed', root .. 'leased', root .. 'takes', root .. 'ends'
local BURIED, DONE, NAMES, DAMAGED = root .. 'buried', root .. 'done', root .. 'names', root .. 'damaged'

local function each(command, key, list)
  for from = 1, #list, PIECE do
    call(command, key, unpack(list, from, math.min(from + PIECE - 1, #list)))
  end
end

local function gather(command, key, list)
  if #list == 0 then return {} end
  if #list <= PIECE then return call(command, key, unpack(list)) end
  local all = {}
  for from = 1, #list, PIECE do
    for _, value in ipairs(call(command, key, unpack(list, from, math.min(from + PIECE - 1, #list)))) do
      all[#all + 1] = value
    end
  end
  return all
end
`;

/**
 * A server whose memory is full refuses the first write of a script, if it is one that may need memory, and none after that. Whatever
 * is not a put must go on then: leases are kept, jobs are finished, which frees memory. So it begins with a write that needs none.
 */
export const evenWhenFull: string = String.raw`
call('HDEL', META, '')
`;
