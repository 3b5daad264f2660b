raise SystemExit("the stand-in has no DataPusher")
