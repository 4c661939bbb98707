// Connects to each HOST/PORT that is named, all at once, and prints what answers as JSON; "nobody" where nothing does within the patience.
const { connect } = require('node:net');

const PATIENCE_MS = 1_500;

function ask(target) {
  const [host, port] = target.split('/');
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port: Number(port) });
    const late = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(late);
      resolve([target, text === '' ? 'nobody' : text]);
    });
  });
}

void Promise.all(process.argv.slice(2).map(ask)).then((answers) =>
  console.log(JSON.stringify(Object.fromEntries(answers))),
);
