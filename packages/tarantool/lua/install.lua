-- Makes what this package needs: spaces, the text of its scripts, and the one function that clients call. Does nothing where all of it is there.
-- Gives the format of what is stored, the version of the scripts that are there now, and whether a name is taken by somebody else's.
local prefix, format, version, source, synchronous = ...

local function space(name, fields, ...)
  local full = prefix .. '_' .. name
  local made = box.schema.space.create(full, { if_not_exists = true, engine = 'memtx', format = fields })
  for _, index in ipairs({ ... }) do
    made:create_index(index[1], { if_not_exists = true, type = 'TREE', unique = index[3] ~= false, parts = index[2] })
  end
  if synchronous ~= nil and (made.is_sync == true) ~= synchronous then
    -- Spaces of 2.6 have no `alter`.
    local flags = box.space._space:get(made.id).flags
    flags.is_sync = synchronous
    box.space._space:update(made.id, { { '=', 'flags', flags } })
  end
  return made
end

local function field(name, type, is_nullable)
  return { name = name, type = type, is_nullable = is_nullable or false }
end

local q, id = field('q', 'unsigned'), field('id', 'string')

local function make_spaces()
  space('queues', { field('name', 'string') }, { 'pk', { 1, 'string' } })
  space('jobs', {
    q, id, field('state', 'unsigned'), field('rank', 'integer'), field('position', 'integer'), field('fence', 'unsigned'),
    field('attempt', 'unsigned'), field('max_attempts', 'unsigned'), field('created', 'unsigned'), field('priority', 'integer'),
    field('flags', 'unsigned'), field('holder', 'string', true), field('headers', 'string'), field('payload', 'any'),
    field('group', 'string', true), field('key', 'string', true), field('expires', 'unsigned', true), field('lease', 'unsigned', true),
    field('keep', 'unsigned', true), field('reason', 'string', true), field('error', 'any', true), field('progress', 'any', true),
    field('result', 'any', true),
  }, { 'pk', { 1, 'unsigned', 2, 'string' } }, { 'order', { 1, 'unsigned', 3, 'unsigned', 4, 'integer', 5, 'integer' }, false })
  space('blobs', { q, id, field('field', 'unsigned'), field('piece', 'unsigned'), field('bytes', 'string') },
    { 'pk', { 1, 'unsigned', 2, 'string', 3, 'unsigned', 4, 'unsigned' } })
  space('keys', { q, field('key', 'string'), id }, { 'pk', { 1, 'unsigned', 2, 'string' } })
  space('lanes', { q, field('group', 'string'), field('position', 'integer'), id },
    { 'pk', { 1, 'unsigned', 2, 'string', 3, 'integer' } })
  space('turns', { q, field('group', 'string'), id }, { 'pk', { 1, 'unsigned', 2, 'string' } })
  space('ends', { q, field('at', 'unsigned'), id }, { 'pk', { 1, 'unsigned', 2, 'unsigned', 3, 'string' } })
  space('answers', { field('n', 'unsigned'), field('request', 'string'), field('call', 'unsigned'), field('at', 'unsigned'), field('answer', 'any') },
    { 'pk', { 1, 'unsigned', 2, 'string' } }, { 'age', { 1, 'unsigned', 3, 'unsigned' } })
  space('garbage', { q }, { 'pk', { 1, 'unsigned' } })
  space('damaged', { field('n', 'unsigned'), id }, { 'pk', { 1, 'unsigned', 2, 'string' } })
  return space('code', { field('name', 'string') }, { 'pk', { 1, 'string' } })
end

-- Its text never changes: what it calls is in the space, and comes with replication.
local FUNCTION = [[function(method, ...)
  local all = rawget(_G, '__pq') or {}
  rawset(_G, '__pq', all)
  local scripts = all['%s']
  if scripts == nil or method == 'load' then
    local row = box.space['%s_code']:get('scripts')
    if scripts == nil or scripts.version ~= row[2] then
      scripts = assert(loadstring(row[3], '=%s'))('%s', row[2], scripts and scripts.state or {})
      all['%s'] = scripts
    end
    if method == 'load' then return row[2], box.space['%s_code']:get('format')[2] end
  end
  return scripts.call(method, ...)
end]]

local there = box.space[prefix .. '_code']
local stored = there ~= nil and there:get('format') or { 'format', format }
if stored[2] > format then return stored[2], 0 end
local code = make_spaces()
if code:get('next') == nil then code:insert({ 'next', 1 }) end
local scripts = code:get('scripts')
if scripts == nil or scripts[2] < version then code:replace({ 'scripts', version, source }) end
if code:get('format') == nil then code:insert({ 'format', format }) end
local p = prefix
if box.space._func.index.name:get(p) == nil then
  box.schema.func.create(p, { setuid = true, language = 'LUA', body = FUNCTION:format(p, p, p, p, p, p) })
end
return stored[2], code:get('scripts')[2]
