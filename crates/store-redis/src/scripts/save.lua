-- ARGV: holder, fence, revision, the next revision or '' for the same tokens, whether the lease ends
-- with it, and data, key; without these, the session is removed. The second key, if there is one, is that
-- of the copies: what the caller has seen could not be read.
local next, data = ARGV[4], ARGV[6]
-- The reply to an earlier call was lost.
if next ~= '' and revision == next then return reply('done') end
local is_mine = holder == ARGV[1] and fence == tonumber(ARGV[2])
-- Records of the same tokens must not undo a successor that a sleeper has stored meanwhile.
local is_known = next ~= '' or revision == ARGV[3]
-- A successor, a sign-in and a sign-out fit if what they have seen is stored. A row that is gone was lost, for
-- a sign-out leaves one.
local fits = next ~= '' and (revision == ARGV[3] or not row[1]) and (data or ARGV[2] == NO_FENCE)
-- A holder whose lease another one has taken removes nothing: that one may have sent the refresh token.
local may = is_mine and is_known and (data and left > 0 or not data and revision == ARGV[3])
if not may and not fits then return reply('lost') end
-- A call that is made again finds another revision, and copies nothing.
if KEYS[2] and row[2] and revision == ARGV[3] then
  -- Before anything is changed: a script that fails takes nothing back. Only commands that others need too.
  local found = redis.pcall('HMGET', KEYS[2], 'last')
  if found.err then
    if found.err:find('^WRONGTYPE') then return reply('no copies') end
    return found
  end
  local last = number(found[1]) + 1
  redis.call('HSET', KEYS[2], 'last', last, last .. ' data', row[2], last .. ' key', row[3] or '',
    last .. ' kept_at', now)
  local old = last - COPIES
  redis.call('HDEL', KEYS[2], old .. ' data', old .. ' key', old .. ' kept_at')
end
if data then
  redis.call('HSET', KEYS[1], 'format', FORMAT, 'data', data, 'key', ARGV[7])
else
  -- A row that was lost is there again, so that no holder takes it for lost.
  redis.call('HSET', KEYS[1], 'format', FORMAT)
  redis.call('HDEL', KEYS[1], 'data', 'key')
end
if next ~= '' then redis.call('HSET', KEYS[1], 'revision', next) end
if is_mine then
  if ARGV[5] == '1' then release() end
elseif ARGV[2] == NO_FENCE or not data then
  -- A sign-in and a sign-out end the lease of the holder, who can store nothing from then on.
  release()
end
return reply('done')
