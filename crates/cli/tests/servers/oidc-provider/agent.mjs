// An agent of the official SDK that runs a command as its MCP server: it lists the tools, calls one,
// has the server end all tokens, and calls it again.
//
// Arguments: the URL that ends the tokens, then the command.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [expire, command, ...args] = process.argv.slice(2);
const client = new Client({ name: 'made-up', version: '1' });
await client.connect(new StdioClientTransport({ command, args, env: {} }));
const { tools } = await client.listTools();
const call = async () => (await client.callTool({ name: 'echo', arguments: {} })).content[0].text;
const answers = [await call()];
await fetch(expire);
answers.push(await call());
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), answers }));
