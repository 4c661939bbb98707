// Listens on each port that is named, on all addresses, and answers a connection with the port's number; says "listening" once all do.
const { createServer } = require('node:net');

const ports = process.argv.slice(2).map(Number);
let open = 0;
for (const port of ports) {
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${process.env.NAME ?? 'pod'}:${port}`);
  }).listen(port, '::', () => {
    if (++open === ports.length) console.log('listening');
  });
}
