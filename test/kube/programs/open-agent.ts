/**
 * `node open-agent.ts TCP,TCP… UDP,UDP…`: an agent without any care of its own: it listens on every address, and answers whoever comes. Prints a line for each
 * connection and datagram with where it came from, so that it can be said what never arrived.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [tcp = [], udp = []] = process.argv.slice(2).map((list) => list.split(',').map(Number));
for (const port of tcp) {
  const server = createServer((_, response) => response.end('the agent\n'));
  server.on('connection', ({ remoteAddress }) => console.log(`arrived tcp ${port} ${remoteAddress}`));
  server.listen(port, '::');
}
for (const port of udp) {
  const socket = createSocket('udp4');
  socket.on('message', (_, { address, port: from }) => {
    console.log(`arrived udp ${port} ${address}`);
    socket.send('the agent', from, address);
  });
  socket.bind(port, '0.0.0.0');
}
process.on('SIGTERM', () => process.exit(0));
