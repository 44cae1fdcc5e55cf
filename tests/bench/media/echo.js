// echo.js - an echo of Node's ws: node echo.js PORT
'use strict';
const { WebSocketServer } = require('ws');

new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096, perMessageDeflate: false })
  .on('connection', (socket) => socket.on('message', (data) => socket.send(data, { binary: false })));
