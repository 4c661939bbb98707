/** `node call-mcp.ts URL TOOL JSON`: one tool of an MCP server over Streamable HTTP, by the official client; prints `ok` and the answer's text, or `failed` and why. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url = '', tool = '', args = '{}'] = process.argv.slice(2);
const client = new Client({ name: 'sallyport-test', version: '1.0.0' });
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const answer = await client.callTool({ name: tool, arguments: JSON.parse(args) as Record<string, unknown> });
  console.log('ok', JSON.stringify(answer['content']));
} catch (error) {
  console.log('failed', String(error));
}
await client.close();
