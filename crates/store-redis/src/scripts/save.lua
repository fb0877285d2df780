-- ARGV: holder, fence, revision, the next revision or '' for the same tokens, whether the lease ends
-- with it, and data, key; without these, the session is removed.
local next, data = ARGV[4], ARGV[6]
-- The reply to an earlier call was lost.
if next ~= '' and revision == next then return reply('done') end
local is_mine = holder == ARGV[1] and fence == tonumber(ARGV[2])
-- Records of the same tokens must not undo a successor that a sleeper has stored meanwhile.
local is_known = not data or next ~= '' or revision == ARGV[3]
-- A successor fits if no other one is stored. A row that is gone was lost, for a sign-out leaves one.
local fits = data and next ~= '' and (revision == ARGV[3] or not row[1])
-- A sign-out may take longer than the lease, and nothing is lost if no other holder came.
local may = is_mine and is_known and (left > 0 or not data)
if not may and not fits then return reply('lost') end
if data then
  redis.call('HSET', KEYS[1], 'format', FORMAT, 'data', data, 'key', ARGV[7])
else
  redis.call('HDEL', KEYS[1], 'data', 'key')
end
if next ~= '' then redis.call('HSET', KEYS[1], 'revision', next) end
if is_mine and ARGV[5] == '1' then release() end
return reply('done')
