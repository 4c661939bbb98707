/** Bare Node: what any program begins with. */
console.log(JSON.stringify({ port: 0 }));
setInterval(() => {}, 60_000);
process.on('SIGTERM', () => process.exit(0));
