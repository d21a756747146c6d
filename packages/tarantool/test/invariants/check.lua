-- Does what is stored fit together? Run as the admin, with the prefix and a time: no end before it may be left.
-- It reads everything in one go, and answers a line for each thing that is wrong.
local prefix, settled = ...
local function space(name) return box.space[prefix .. '_' .. name] end
local WAITS, READY, DELAYED, LEASED, BURIED, DONE = 0, 1, 2, 3, 4, 5
local FIELDS = { 14, 21, 22, 23 }
local PIECE = 8 * 1024
-- What `lua/answers.lua` keeps, at most.
local KEPT_CALLS, KEPT_MS = KEPT_CALLS or 10000, KEPT_MS or 60000
local wrong = {}

local function expect(is_right, what, ...)
  if not is_right and #wrong < 20 then wrong[#wrong + 1] = what:format(...) end
end

local function hex(id) return (id:gsub('.', function(byte) return ('%02x'):format(byte:byte()) end)) end
-- Large numbers are objects.
local function key(...)
  local parts = { ... }
  for index, part in ipairs(parts) do parts[index] = tostring(part) end
  return table.concat(parts, '\0')
end
local now = math.floor(require('clock').time() * 1000)

local function named(row)
  return {
    q = row[1], id = row[2], state = row[3], rank = row[4], position = row[5], fence = row[6], attempt = row[7], max = row[8],
    priority = row[10], urgent = row[11] % 2, holder = row[12], group = row[15], key = row[16], expires = row[17], keep = row[19],
    reason = row[20], result = row[23], row = row, name = hex(row[2]),
  }
end

-- Generations: each belongs to one queue, or is garbage.
local queues, garbage, numbers = {}, {}, {}
local next_number = space('code'):get('next')[2]
local function draw(number)
  expect(number <= next_number and not numbers[number], 'the number %s was given twice, or never', number)
  numbers[number] = true
end
for _, row in space('queues'):pairs() do
  draw(row[2])
  draw(row[3])
  expect(#row == 29, 'the row of a queue has %d fields', #row)
  queues[row[3]] = { row = row, states = { [0] = 0, 0, 0, 0, 0, 0 }, groups = {}, positions = {} }
end
for _, row in space('garbage'):pairs() do
  draw(row[1])
  garbage[row[1]] = true
end
for _, name in ipairs({ 'jobs', 'blobs', 'keys', 'lanes', 'turns', 'ends' }) do
  for _, row in space(name):pairs() do
    expect(queues[row[1]] ~= nil or garbage[row[1]], '%s has a row of generation %s, which there is not', name, row[1])
  end
end

local jobs, keys, lanes, ends, pieces = {}, {}, {}, {}, {}

local function check_rank(job)
  local urgent = job.urgent == 1
  local fresh = (job.priority + 2147483648) * 2 + 1
  expect(job.rank == (urgent and -1 or fresh) or (job.rank == fresh - 1 and job.fence > 0 and not urgent), 'the rank of %s is %s', job.name, job.rank)
  expect(urgent == (job.position < 0), '%s has the position %s', job.name, job.position)
end

local function check_group(queue, job)
  local group = queue.groups[job.group] or { lane = {}, leased = 0 }
  queue.groups[job.group] = group
  if job.state == LEASED then group.leased, group.holder = group.leased + 1, job end
  if job.state == READY or job.state == WAITS or (job.state == DELAYED and job.fence > 0) then
    group.lane[#group.lane + 1] = job
    lanes[key(job.q, job.group, job.position)] = job.id
  end
end

local function check_job(queue, job)
  local row, state = queue.row, job.state
  queue.states[state] = queue.states[state] + 1
  jobs[key(job.q, job.id)] = job
  if state == READY or state == WAITS then check_rank(job) end
  expect(state ~= WAITS or job.group ~= nil, '%s waits for its turn and has no group', job.name)
  expect((state == LEASED) == (job.holder ~= nil), '%s is in state %d and its holder is not right', job.name, state)
  expect((state == BURIED) == (job.reason ~= nil), '%s is in state %d and its reason is not right', job.name, state)
  expect(state == DONE or job.result == nil, '%s has a result', job.name)
  expect(job.fence <= row[7], 'the fence of %s was never drawn', job.name)
  expect(job.attempt <= job.max and (state ~= LEASED or job.attempt > 0), '%s has had %d attempts', job.name, job.attempt)
  expect(job.position <= row[5] and job.position >= row[6], 'the position of %s was never drawn', job.name)
  expect(not queue.positions[job.position], 'two jobs have the position %s', job.position)
  queue.positions[job.position] = true
  if job.key ~= nil and state ~= DONE then keys[key(job.q, job.key)] = job.id end
  if job.group ~= nil then check_group(queue, job) end
  if state == DONE then
    ends[key(job.q, job.keep, job.id)] = true
  elseif job.expires ~= nil then
    -- While it is leased or buried, an end may be noted and means nothing.
    ends[key(job.q, job.expires, job.id)] = state == READY or state == WAITS or state == DELAYED
  end
  for _, field in ipairs(FIELDS) do
    local count = job.row[field]
    for piece = 1, type(count) == 'number' and count or 0 do
      pieces[key(job.q, job.id, field, piece)] = piece == count and 'last' or 'whole'
    end
  end
end

for _, row in space('jobs'):pairs() do
  local job = named(row)
  if queues[job.q] ~= nil then check_job(queues[job.q], job) end
end

-- Each row of a space has its job, and each job has its rows.
local function check_rows(name, expected, key_of, is_right)
  local found = {}
  for _, row in space(name):pairs() do
    if queues[row[1]] ~= nil then
      local its = key_of(row)
      found[its] = true
      expect(expected[its] ~= nil and is_right(expected[its], row), '%s has a row too many, or a wrong one', name)
    end
  end
  for its, value in pairs(expected) do
    expect(found[its] or value == false, '%s lacks a row', name)
  end
end
check_rows('keys', keys, function(row) return key(row[1], row[2]) end, function(id, row) return id == row[3] end)
check_rows('lanes', lanes, function(row) return key(row[1], row[2], row[3]) end, function(id, row) return id == row[4] end)
check_rows('ends', ends, function(row) return key(row[1], row[2], row[3]) end, function(_, row) return row[2] > settled end)
check_rows('blobs', pieces, function(row) return key(row[1], row[2], row[3], row[4]) end, function(part, row)
  return part == 'last' and #row[5] <= PIECE and #row[5] > 0 or #row[5] == PIECE
end)

-- One has the turn: it is leased, or ready and the head of the lane. All others wait.
local turns = {}
for q, queue in pairs(queues) do
  for name, group in pairs(queue.groups) do
    table.sort(group.lane, function(a, b) return a.position < b.position end)
    local head = group.lane[1]
    expect(group.leased <= 1, '%d jobs of the group %s are leased', group.leased, name)
    local holder = group.holder or (head ~= nil and head.state ~= DELAYED and head or nil)
    if holder ~= nil then turns[key(q, name)] = holder.id end
    for _, job in ipairs(group.lane) do
      local may_go = job == holder
      expect(job.state == DELAYED or job.state == (may_go and READY or WAITS), '%s of the group %s is in state %d', job.name, name, job.state)
    end
  end
end
check_rows('turns', turns, function(row) return key(row[1], row[2]) end, function(id, row) return id == row[3] end)

-- Counts are those of the jobs.
for _, queue in pairs(queues) do
  local row, states = queue.row, queue.states
  states[READY] = states[READY] + states[WAITS]
  for state = READY, DONE do
    expect(row[9 + state] == states[state], 'there are %d jobs in state %d, and %s are counted', states[state], state, row[9 + state])
  end
end

-- Answers: of known queues, each call once, and no more than are kept.
local answers, latest = {}, {}
for _, queue in pairs(queues) do
  answers[queue.row[2]] = 0
  latest[queue.row[2]] = queue.row[9]
end
for _, row in space('answers'):pairs() do
  expect(answers[row[1]] ~= nil and row[3] <= latest[row[1]], 'an answer is of no queue')
  answers[row[1]] = (answers[row[1]] or 0) + 1
end
for n, count in pairs(answers) do
  expect(count <= KEPT_CALLS, '%d answers of the queue %d are kept', count, n)
  local oldest = space('answers').index.age:min({ n })
  -- Two go with each that comes, so a queue that rests may keep older ones.
  expect(settled == 0 or oldest == nil or count <= 2 or oldest[4] > now - KEPT_MS - 5000, 'an answer is too old')
end
return table.concat(wrong, '\n')
