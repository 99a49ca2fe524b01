// Reads the barcode on a phone's label with the camera, where the browser can. Without, the digits are typed.
"use strict";

(() => {
  const form = document.querySelector("[data-label]");
  if (!form) return;
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) { // no camera but over HTTPS
    form.querySelector("[data-no-scan]").hidden = false;
    return;
  }
  const offer = form.querySelector("[data-scan]");
  const scanner = form.querySelector("[data-scanner]");
  const video = scanner.querySelector("video");
  const said = scanner.querySelector("[data-scan-said]");
  const MAC = /[0-9a-f]{2}([:.-]?[0-9a-f]{2}){5}/i;
  const EVERY_MS = 150;
  let stream = null;

  offer.hidden = false;
  form.querySelector("[data-scan-start]").addEventListener("click", start);
  form.querySelector("[data-scan-stop]").addEventListener("click", stop);
  addEventListener("pagehide", stop);

  async function start() {
    offer.hidden = true;
    scanner.hidden = false;
    said.textContent = said.dataset.looks;
    try {
      const given = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (scanner.hidden || stream) { for (const track of given.getTracks()) track.stop(); return; } // stopped while it was asked for
      stream = given;
      video.srcObject = stream;
      await video.play();
      look(new BarcodeDetector());
    } catch {
      stop();
      scanner.hidden = false;
      said.textContent = said.dataset.refused;
    }
  }

  async function look(detector) {
    if (!stream) return;
    let codes = [];
    try { codes = await detector.detect(video); } catch { codes = []; } // no picture yet
    const read = codes.map((code) => code.rawValue).filter((text) => MAC.test(text));
    if (!stream) return;
    if (!read.length) { setTimeout(look, EVERY_MS, detector); return; }
    stop();
    const field = form.querySelector('[name="phone"]');
    field.removeAttribute("maxlength"); // a label may have several codes
    field.value = read.join(" ").slice(0, 400);
    form.requestSubmit();
  }

  function stop() {
    if (stream) for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    scanner.hidden = true;
    offer.hidden = false;
  }
})();
