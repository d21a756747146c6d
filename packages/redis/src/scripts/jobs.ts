/** Jobs as scripts handle them: loaded from and saved to `states` and `features`. */
export const jobs: string = String.raw`
local counted = {}
local function count(counter, n)
  counted[counter] = (counted[counter] or 0) + (n or 1)
end

-- Places are compared by their bytes. Not with <, which goes by the language of the server's user.
local function positionIsBefore(a, b)
  local x, y = read('>I6', a), read('>I6', b)
  if x ~= y then return x < y end
  return byte(a, 7) < byte(b, 7)
end

-- Members of ordered and blocked: lane, position, id.
local function memberIsBefore(a, b)
  local x, y = byte(a, 1), byte(b, 1)
  if x ~= y then return x < y end
  return positionIsBefore(sub(a, 2, 8), sub(b, 2, 8))
end

local NO_FENCE = '\0\0\0\0\0\0'
local URGENT = -2147483649 -- the score of urgent jobs: below every priority
local PLAIN = { priority = 0 }

-- What is stored may be damaged. These read nil out of it, or what does no harm, and never fail: a script that failed half way
-- would leave half a change behind.

-- maxAttempts, priority, ttl, lease, keep, key, group; without a value: nil. The time of the put stands at the end, if it was put.
local function readFeatures(text)
  local keyLength = byte(text, 30)
  local groupLength = keyLength and byte(text, 31 + keyLength)
  local length = groupLength and 31 + keyLength + groupLength
  if length ~= #text and length ~= #text - 6 then return nil end
  local f = {}
  local ttl, lease, keep, key, group, at
  f.max, f.priority, ttl, lease, keep, key, group, at = read('>I4i4I7I7I7Bc0Bc0', text)
  if ttl > 0 then f.ttl = ttl - 1 end
  if lease > 0 then f.lease = lease - 1 end
  if keep > 0 then f.keep = keep - 1 end
  if key ~= '' then f.key = key end
  if group ~= '' then f.group = group end
  f.created = at <= #text and read('>I6', text, at) or now
  return f
end

local function features(job)
  if not job.features then
    local may = not job.head or byte(job.head, 1) % 2 == 1
    local text = may and call('HGET', FEATURES, job.id)
    job.features = text and readFeatures(text) or PLAIN
  end
  return job.features
end

-- Can this record be read, by us and by the client?
local function isSound(record, featuresText)
  if not record or #record < 8 then return false end
  local bits = byte(record, 1)
  if bits > 3 or bits % 2 == 1 and not (featuresText and readFeatures(featuresText)) then return false end
  if bits < 2 then return true end
  local high, low = byte(record, 3, 4)
  return 10 + 256 * high + low <= #record
end

local function maxAttempts(job)
  local max = byte(job.head, 2)
  return max > 0 and max or features(job).max or 1
end

-- May it stand in the list? Only jobs that were never delivered do.
local function isSimple(f)
  return f.priority == 0 and not f.group and not f.ttl
end

local STATE_BYTES = 23
local function readState(id, text)
  if #text ~= STATE_BYTES then return nil end
  return {
    id = id, kind = sub(text, 1, 1), head = sub(text, 2, 3), marks = byte(text, 4), lane = sub(text, 5, 5),
    position = sub(text, 6, 12), attempt = read('>I4', text, 13), fence = sub(text, 17, 22), reason = sub(text, 23, 23),
  }
end

local function newState(id, head, f)
  return {
    id = id, kind = 'r', head = head, marks = 0, lane = '1', position = '', attempt = 0, fence = NO_FENCE, reason = '-',
    features = f,
  }
end

local function save(job)
  local text = job.kind .. job.head .. char(job.marks) .. job.lane .. job.position .. write('>I4', job.attempt)
    .. job.fence .. job.reason
  call('HSET', STATES, job.id, text)
end

local putAside

-- The job of this id, of kind 'f' when it stands in the list; nil when there is none, or none that can be read.
local function load(id)
  local text = call('HGET', STATES, id)
  if text then
    local job = call('HEXISTS', JOBS, id) == 1 and readState(id, text)
    if not job then putAside(id) end
    return job or nil
  end
  if call('HEXISTS', JOBS, id) == 1 then
    return { id = id, kind = 'f', marks = 0, lane = '1', position = '', attempt = 0, fence = NO_FENCE, reason = '-' }
  end
end

local function hasMark(job, mark)
  return math.floor(job.marks / mark) % 2 == 1
end

local function keep(job, mark, letter, bytes)
  call('HSET', EXTRAS, letter .. job.id, bytes)
  if not hasMark(job, mark) then job.marks = job.marks + mark end
end
`;
