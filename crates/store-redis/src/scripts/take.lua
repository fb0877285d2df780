-- ARGV: holder, length of the lease, the revision that the caller knows or '*'.
local known = ARGV[3]
if known ~= '*' and known ~= revision then
  return reply('changed')
elseif holder ~= '' and holder ~= ARGV[1] and left > 0 then
  return reply('held')
end
fence = fence + 1
redis.call('HSET', KEYS[1], 'format', FORMAT, 'revision', revision, 'fence', fence, 'holder', ARGV[1])
lease(tonumber(ARGV[2]))
left = tonumber(ARGV[2])
return reply('taken')
