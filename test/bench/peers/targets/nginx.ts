import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePorts } from '../../../support/free-ports.ts';
import { installNginx } from '../install.ts';
import type { Target, World } from '../target.ts';
import { startProxy } from './proxy-process.ts';
import { started } from './started.ts';

const run = promisify(execFile);

/** nginx as mTLS proxy: what judging nothing costs where nobody is in a hurry to add anything. */
export const NGINX: Target = {
  id: 'nginx',
  title: 'nginx, no policy',
  judge: 'nothing',
  decisionLog: false,
  version: async () => {
    const { stderr } = await run(await installNginx(), ['-v']);
    return stderr.trim().replace('nginx version: nginx/', 'nginx ');
  },
  cannot: () => undefined,
  start: async (world, policy) => {
    const [command, [port = 0]] = await Promise.all([installNginx(), freePorts(1)]);
    const folder = join(world.folder, 'nginx');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'nginx.conf'), nginxConfig(world, folder, port));
    const begun = performance.now();
    const args = ['-e', join(folder, 'error.log'), '-p', folder, '-c', join(folder, 'nginx.conf')];
    const master = startProxy(world, { name: 'nginx', command, args });
    const others = (): readonly number[] => childrenOf(master.pid);
    return started({ world, policy, judge: 'nothing', port, processes: [master], begun, others });
  },
};

/** Bodies go through as they come, as in the others, not by files. What belongs to nginx's own user elsewhere is ours here. */
function nginxConfig({ folder, upstream }: World, own: string, port: number): string {
  const asRoot = process.getuid?.() === 0 ? `user ${userInfo().username};` : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${own}/${kind};`,
  );
  const reused = 'keepalive 64; keepalive_requests 1000000000;';
  return `daemon off; worker_processes 1; pid ${own}/pid; ${asRoot}
events { worker_connections 8192; }
http {
  access_log off; keepalive_timeout 3600; keepalive_requests 1000000000; tcp_nodelay on; http2_max_concurrent_streams 100;
  ${temporary.join(' ')}
  upstream http1 { server 127.0.0.1:${upstream.http1}; ${reused} }
  upstream h2c { server 127.0.0.1:${upstream.h2c}; ${reused} }
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_protocols TLSv1.3;
    ssl_certificate ${folder}/agent.pem; ssl_certificate_key ${folder}/agent.key;
    ssl_client_certificate ${folder}/ca.pem; ssl_verify_client on;
    proxy_request_buffering off; proxy_max_temp_file_size 0;
    location /bench.Echo/ { grpc_pass grpc://h2c; }
    location / {
      proxy_pass http://http1; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-Client-Cert $ssl_client_s_dn;
    }
  }
}
`;
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .map(Number)
    .filter((child) => child > 0);
}
