import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { hasCommand } from '../support/commands.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { ALLOW_ALL } from '../support/system.ts';
import { PLANNER_ID, RESEARCHER_HOST, startPair, type Pair } from '../support/two-sidecars.ts';

const run = promisify(execFile);
const URL_OF_RESEARCHER = `http://${RESEARCHER_HOST}/find?q=x`;

/** Programs that know nothing of a sidecar, and print the status of a GET. */
const CLIENTS: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  // It makes an error of 407, as of a call that was not made.
  fetch: [
    process.execPath,
    '-e',
    `fetch('${URL_OF_RESEARCHER}').then(({ status }) => console.log(status), ({ cause }) => console.log(/\\d+/.exec(cause.message)[0]))`,
  ],
  'node:http': [
    process.execPath,
    '-e',
    `require('http').get('${URL_OF_RESEARCHER}', (r) => console.log(r.resume().statusCode))`,
  ],
  curl: ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', URL_OF_RESEARCHER],
};

/** The status that a client got, with `HTTP_PROXY` as an agent is told it. */
async function statusOf([command, ...args]: readonly [string, ...string[]], proxy: string): Promise<number> {
  const { PATH } = process.env;
  // curl reads the name in lower case only: the other may be set by a CGI caller.
  const env = { PATH, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, http_proxy: proxy };
  const { stdout } = await run(command, args, { env, timeout: 30_000 });
  return Number(stdout);
}

async function pair(context: TestContext, token: string): Promise<Pair> {
  const agent = await startEchoUpstream();
  context.after(() => agent.close());
  const upstream = `auto://127.0.0.1:${agent.port}`;
  return startPair(context, { upstream, policy: ALLOW_ALL, outbound: { token: 'token' }, files: { token } });
}

for (const [name, client] of Object.entries(CLIENTS)) {
  const skip = client[0] === 'curl' && !hasCommand('curl') ? 'needs the curl command' : false;
  test(
    `${name}: HTTP_PROXY with the token is all that it takes, and without the token it is refused`,
    { skip },
    async (context) => {
      const token = randomBytes(16).toString('hex');
      const sides = await pair(context, token);
      assert.equal(await statusOf(client, `http://agent:${token}@127.0.0.1:${sides.port}`), 200);
      assert.equal(await statusOf(client, `http://127.0.0.1:${sides.port}`), 407);
      const [called, refused] = await sides.planner.sidecar.recordsFrom(0, 2);
      assert.deepEqual(
        [called?.sallyport.direction, called?.sallyport.verdict, refused?.sallyport.fault],
        ['outbound', 'allow', 'caller_refused'],
      );
      const [heard, ...more] = await sides.researcher.sidecar.recordsFrom(0, 1);
      assert.deepEqual([heard?.sallyport.peer, heard?.trace_id, more], [PLANNER_ID, called?.trace_id, []]);
    },
  );
}
