/** nginx, one worker. `tcp_nopush` stays off: with it, 64 KB wait 40 ms on loopback, which would flatter all others. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

export const nginx: Server = {
  name: 'nginx',
  tier: 'both',
  async command({ folder, port, tls, originPort }) {
    await writeFile(join(folder, 'crt.pem'), tls.certificate.chain);
    await writeFile(join(folder, 'key.pem'), tls.certificate.key);
    const file = join(folder, 'nginx.conf');
    await mkdir(join(folder, 'cache'));
    await writeFile(
      file,
      `
      worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log crit; user root;
      worker_rlimit_nofile 20000;
      events { worker_connections 16000; }
      http {
        access_log off; sendfile on; tcp_nopush off; tcp_nodelay on;
        keepalive_timeout 300s; keepalive_requests 1000000000;
        client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
        uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
        proxy_cache_path ${folder}/cache levels=1:2 keys_zone=c:64m max_size=8g inactive=1d use_temp_path=off;
        upstream origin { server 127.0.0.1:${originPort}; keepalive 64; keepalive_requests 1000000; }
        server {
          listen 127.0.0.1:${port} backlog=4096;
          listen 127.0.0.1:${tls.port} ssl http2 backlog=4096; http2_max_concurrent_streams 256;
          ssl_certificate ${folder}/crt.pem; ssl_certificate_key ${folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
          location / {
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_cache c; proxy_cache_key $host$uri; proxy_cache_lock on;
            proxy_max_temp_file_size 2048m; add_header X-Cache $upstream_cache_status;
          }
        }
      }`,
    );
    return { file: 'nginx', args: ['-c', file, '-p', folder] };
  },
};
