-- Common to all scripts: the row, the time of the server, and who holds the lease.
local row = redis.call('HMGET', KEYS[1], 'format', 'data', 'key', 'revision', 'fence', 'holder', 'ends', 'length')
if row[1] and row[1] ~= FORMAT then return {'format', row[1]} end

-- Only digits: a value that was edited by hand is no number that compares with none.
local function number(text)
  return text and text:match('^%d+$') and #text < 16 and tonumber(text) or 0
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local revision, fence, holder = row[4] or '', number(row[5]), row[6] or ''
local left = number(row[7]) - now
-- The clock of the server was set back, or the row was edited: no lease lasts longer than its length.
local length = math.min(number(row[8]), 600000)
if holder ~= '' and left > length then
  left = length
  redis.call('HSET', KEYS[1], 'ends', now + length)
end

local function lease(milliseconds)
  redis.call('HSET', KEYS[1], 'ends', now + milliseconds, 'length', milliseconds)
end

local function release()
  redis.call('HSET', KEYS[1], 'holder', '', 'ends', 0)
end

local function reply(outcome)
  return {outcome, row[2], row[3], revision, fence, math.max(left, 0)}
end
