"""Which modules of Asterisk are loaded: those that something here uses. What each of them needs besides, Asterisk loads itself."""

from __future__ import annotations

from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.program import Program

REQUIRED: tuple[str, ...] = (
    # SIP: without one of these there is no PBX.
    "res_sorcery_config", "res_sorcery_astdb", "res_sorcery_memory", "res_pjproject", "res_pjsip", "res_pjsip_session", "res_rtp_asterisk",
    "res_pjsip_sdp_rtp", "res_pjsip_registrar", "res_pjsip_authenticator_digest", "res_pjsip_endpoint_identifier_user",
    "res_pjsip_pubsub", "res_pjsip_outbound_publish", "res_pjsip_exten_state", "res_pjsip_dialog_info_body_generator", "res_pjsip_notify", "chan_pjsip",
    # The dialplan and what it calls.
    "pbx_config", "app_dial", "app_playback", "app_stack", "func_callerid", "func_channel", "func_cut", "func_db", "func_devstate", "func_logic",
    "func_strings", "func_pjsip_contact", "func_pjsip_endpoint", "func_pjsip_aor", "res_pjsip_header_funcs", "app_verbose",
    # Sound.
    "bridge_simple", "codec_ulaw", "codec_alaw", "codec_resample", "format_gsm", "codec_gsm", "format_wav", "res_timing_timerfd",
)  # fmt: skip
"""Asterisk does not start without them."""

WANTED: tuple[str, ...] = (
    # SIP besides.
    "res_pjsip_acl", "res_pjsip_caller_id", "res_pjsip_diversion", "res_pjsip_dlg_options", "res_pjsip_dtmf_info", "res_pjsip_empty_info",
    "res_pjsip_endpoint_identifier_ip", "res_pjsip_logger", "res_pjsip_mwi", "res_pjsip_mwi_body_generator", "res_pjsip_nat",
    "res_pjsip_outbound_authenticator_digest", "res_pjsip_outbound_registration", "res_pjsip_path", "res_pjsip_pidf_body_generator",
    "res_pjsip_pidf_eyebeam_body_supplement", "res_pjsip_refer", "res_pjsip_rfc3326", "res_pjsip_send_to_voicemail", "res_pjsip_sips_contact",
    "res_pjsip_messaging", "res_pjsip_xpidf_body_generator", "res_pjsip_rfc3329", "res_srtp", "res_pjsip_t38",
    # Features.
    "app_voicemail", "res_config_sqlite3", "res_realtime", "res_parking", "app_directed_pickup", "res_musiconhold", "app_confbridge",
    "bridge_softmix", "bridge_holding", "bridge_builtin_features", "bridge_builtin_interval_features", "bridge_native_rtp", "chan_bridge_media",
    "app_echo", "app_transfer", "app_cdr", "app_exec", "app_senddtmf", "func_cdr", "func_dialplan", "func_global", "func_groupcount",
    "func_hangupcause", "func_math", "func_timeout", "func_presencestate", "func_extstate", "func_jitterbuffer", "func_module",
    "func_uri", "func_sprintf", "app_read", "app_sayunixtime", "app_while", "app_if", "app_system", "res_speech", "res_agi",
    # Codecs and formats.
    "codec_g722", "codec_g726", "codec_a_mu", "codec_opus_open_source", "codec_opus", "codec_speex", "codec_ilbc", "codec_adpcm",
    "format_pcm", "format_wav_gsm", "format_g722", "format_g726", "format_sln", "format_g729", "format_ilbc",
    "res_format_attr_opus", "res_format_attr_g729", "res_format_attr_ilbc", "res_format_attr_h263", "res_format_attr_h264",
    "res_format_attr_vp8", "res_format_attr_silk", "res_format_attr_celt", "res_format_attr_siren7", "res_format_attr_siren14",
    # Seen and steered from outside.
    "res_cdrel_custom", "cdr_sqlite3_custom", "app_mixmonitor", "app_chanspy", "func_periodic_hook", "res_security_log", "res_clioriginate", "res_convert", "res_limit", "res_mutestream", "res_crypto", "res_http_websocket",
    "res_stasis", "res_stasis_answer", "res_stasis_playback", "res_stasis_recording", "res_stasis_snoop", "res_websocket_client", "res_ari", "res_ari_asterisk", "res_ari_endpoints", "res_ari_device_states", "res_ari_channels", "res_ari_events",
    "res_ari_model", "res_stasis_device_state", "res_manager_devicestate", "app_softhangup",
)  # fmt: skip
"""Loaded where this Asterisk has them; each missing one costs what it is for, and nothing else."""


def loaded_modules(program: Program) -> list[str]:
    """Returns the lines of ``modules.conf``. Raises ``AsteriskError`` naming the modules without which there is no PBX."""
    missing = [name for name in REQUIRED if not program.has_module(name)]
    if missing:
        raise AsteriskError(f"this Asterisk ({program.version}) lacks {', '.join(missing)}: install its modules, or use the private one")
    present = [name for name in WANTED if program.has_module(name)]
    return [*(f"require = {name}.so" for name in REQUIRED), *(f"load = {name}.so" for name in present)]
