# make reads this file before each makefile (MAKEFILES in config.toml).

# librdkafka's C++ library is not built: nothing links it.
ifeq ($(CARGO_MANIFEST_LINKS),rdkafka)
override LIBSUBDIRS = src
endif
