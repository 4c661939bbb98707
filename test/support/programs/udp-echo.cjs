// Answers each datagram to one of these ports with NAME:PORT; says "listening" once all sockets are open.
const { createSocket } = require('node:dgram');

const [name, ...ports] = process.argv.slice(2);
let open = 0;
for (const port of ports.map(Number)) {
  const socket = createSocket('udp4');
  socket.on('message', (_text, from) => socket.send(`${name}:${port}`, from.port, from.address));
  socket.bind(port, '0.0.0.0', () => {
    if (++open === ports.length) console.log('listening');
  });
}
