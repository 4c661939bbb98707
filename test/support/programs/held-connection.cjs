// `serve PORT` sends back what comes; `call HOST PORT` keeps one connection, sends each line of its input and prints what comes back.
const { connect, createServer } = require('node:net');

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') {
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen(Number(rest[0]), '0.0.0.0', () => console.log('listening'));
} else {
  const socket = connect({ host: rest[0], port: Number(rest[1]) }, () => console.log('open'));
  process.stdin.pipe(socket);
  socket.on('data', (chunk) => process.stdout.write(chunk));
}
