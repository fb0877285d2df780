-- ARGV: holder.
if holder == ARGV[1] then release() end
return reply('done')
