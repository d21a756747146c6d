/** The Lua that the benchmark has the server run: to look at it, to empty it, and what is measured besides the queues. */

/** Has the server know tarantool/queue, which is in this folder. */
export function loadQueue(folder: string): string {
  const path = JSON.stringify(`${folder}/?.lua;${folder}/?/init.lua;`);
  return `package.path = ${path} .. package.path\nrawset(_G, 'queue', require('queue'))`;
}

/** Removes all jobs, and leaves no log of them. What memory they had is free again at its end. */
export const EMPTY = `
local fiber, queue = require('fiber'), rawget(_G, 'queue')
if queue ~= nil then
  box.space._queue_consumers:truncate()
  box.space._queue_taken_2:truncate()
  for _, name in ipairs(queue.tube()) do queue.tube[name]:drop() end
end
for _, row in box.space._space:pairs({512}, {iterator = 'GE'}) do
  local name = row[3]
  local is_ours = name:match('^pq_') and name ~= 'pq_code'
  if is_ours or name == 'raw' or name == 'raw_marked' then box.space[name]:truncate() end
end
collectgarbage('collect')
repeat
  local before = box.slab.info().items_used
  fiber.sleep(0.05)
until before - box.slab.info().items_used < 100000
box.snapshot()`;

/** What it counts, and the bytes of its rows and indexes. */
export const STATUS = `
local bytes, ops = box.slab.info().items_used, {}
for _, row in box.space._space:pairs({512}, {iterator = 'GE'}) do
  for id, index in pairs(box.space[row[3]].index) do
    if type(id) == 'number' then bytes = bytes + index:bsize() end
  end
end
for name, op in pairs(box.stat()) do ops[name] = op.total end
return {bytes = bytes, ops = ops, requests = box.stat.net().REQUESTS.total}`;

/** The raw calls: a batch in one transaction. A job is a number, whether it is taken, and its bytes. */
export const RAW = `
local function space(name)
  local made = box.schema.space.create(name, {if_not_exists = true})
  made:create_index('pk', {if_not_exists = true, parts = {1, 'unsigned'}})
  return made
end
local plain, marked = space('raw'), space('raw_marked')
marked:create_index('taken', {if_not_exists = true, parts = {2, 'boolean', 1, 'unsigned'}})
local function put_into(space)
  local last = 0
  return function(all)
    if space:len() == 0 then last = 0 end
    box.begin()
    for i = 1, #all do
      last = last + 1
      space:insert({last, false, all[i]})
    end
    box.commit()
  end
end
rawset(_G, 'raw_put', put_into(plain))
rawset(_G, 'raw_marked_put', put_into(marked))
rawset(_G, 'raw_take', function(limit)
  local found = plain:select({}, {limit = limit})
  box.begin()
  for i = 1, #found do plain:delete(found[i][1]) end
  box.commit()
  return found
end)
rawset(_G, 'raw_marked_take', function(limit)
  local found, op = marked.index.taken:select({false}, {limit = limit}), {{'=', 2, true}}
  box.begin()
  for i = 1, #found do found[i] = marked:update(found[i][1], op) end
  box.commit()
  return found
end)
rawset(_G, 'raw_marked_ack', function(numbers)
  box.begin()
  for i = 1, #numbers do marked:delete(numbers[i]) end
  box.commit()
end)`;
