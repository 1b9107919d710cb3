// Flaws that analysers find: scanned by tests, and never run.
const { exec } = require("child_process");

function show(name) {
  exec("ls " + name);
  debugger;
  return eval(name);
}

module.exports = { show };
