// Sends a datagram to each HOST/PORT that is named, and prints what answers as JSON; "nobody" where nothing does within the patience.
const { createSocket } = require('node:dgram');

const PATIENCE_MS = 1_000;

function say(target) {
  const [host, port] = target.split('/');
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (text) => {
      clearTimeout(late);
      socket.close();
      resolve([target, text]);
    };
    const late = setTimeout(() => end('nobody'), PATIENCE_MS);
    socket.on('message', (text) => end(String(text)));
    socket.on('error', () => undefined);
    // A rule that drops it makes sending fail for the sender.
    socket.send('?', Number(port), host, () => undefined);
  });
}

void Promise.all(process.argv.slice(2).map(say)).then((answers) =>
  console.log(JSON.stringify(Object.fromEntries(answers))),
);
